//! A delivery that does not prove itself is refused, whatever way it goes about it; one that does is taken.

use flowgauge_ingest::providers::{ALL, by_kind};
use flowgauge_ingest::{Headers, Provider, Rejected, Secrets, Webhook};
use flowgauge_lake::model::Time;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const SECRET: &[u8] = b"It's a Secret to Everybody";
const BODY: &[u8] = b"Hello, World!";
/// GitHub's published example of the two above.
const PUBLISHED: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

type Pairs = Vec<(String, String)>;

/// How a provider's deliveries prove themselves: a signature of the body after a word, or the secret itself after a word.
enum Proof {
    Signature { header: &'static str, word: &'static str },
    Token { header: &'static str, word: &'static str },
}

/// Every provider needs a line here: the match has no default.
fn proof(kind: &str) -> Proof {
    match kind {
        "argocd" => Proof::Token { header: "authorization", word: "Bearer " },
        "github" => Proof::Signature { header: "x-hub-signature-256", word: "sha256=" },
        "gitlab" => Proof::Token { header: "x-gitlab-token", word: "" },
        "pagerduty" => Proof::Signature { header: "x-pagerduty-signature", word: "v1=" },
        kind => panic!("say how deliveries of `{kind}` prove themselves"),
    }
}

fn mac(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

impl Proof {
    fn header(&self) -> &'static str {
        match self {
            Proof::Signature { header, .. } | Proof::Token { header, .. } => header,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Proof::Signature { word, .. } | Proof::Token { word, .. } => word,
        }
    }

    fn value(&self, secret: &[u8], body: &[u8]) -> String {
        match self {
            Proof::Signature { word, .. } => format!("{word}{}", mac(secret, body)),
            Proof::Token { word, .. } => format!("{word}{}", String::from_utf8_lossy(secret)),
        }
    }

    fn headers(&self, secret: &[u8], body: &[u8]) -> Pairs {
        vec![(self.header().to_owned(), self.value(secret, body))]
    }
}

fn check(provider: &dyn Provider, secrets: &Secrets, headers: Pairs, body: &[u8]) -> Result<(), Rejected> {
    let hook = Webhook::new(Headers::new(headers), body.to_vec().into());
    provider.verify(hook, secrets, Time::from_seconds(1_777_885_960)).map(|_| ())
}

fn secrets(secrets: &[&[u8]]) -> Secrets {
    Secrets::new(secrets.iter().map(|secret| secret.to_vec()).collect()).expect("not empty")
}

/// Headers and bodies that prove nothing, for any of our providers.
fn bad(proof: &Proof) -> Vec<(String, Pairs, Vec<u8>)> {
    let good = proof.value(SECRET, BODY);
    let (word, core) = (proof.word(), &good[proof.word().len()..]);
    let mut bad: Vec<(String, Pairs, Vec<u8>)> = Vec::new();
    let mut value = |what: &str, value: String| {
        bad.push((what.to_owned(), vec![(proof.header().to_owned(), value)], BODY.to_vec()));
    };
    let changed = |at: usize| {
        let mut bytes = core.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        format!("{word}{}", String::from_utf8(bytes).expect("ASCII"))
    };
    value("empty", String::new());
    value("the word alone", word.trim_end().to_owned() + " ");
    value("upper case", format!("{word}{}", core.to_uppercase()));
    value("first character changed", changed(0));
    value("a character in the middle changed", changed(core.len() / 2));
    value("last character changed", changed(core.len() - 1));
    value("one character cut", good[..good.len() - 1].to_owned());
    value("half of it", format!("{word}{}", &core[..core.len() / 2]));
    value("the other half", format!("{word}{}", &core[core.len() / 2..]));
    value("one character more", format!("{good}0"));
    value("twice", format!("{word}{core}{core}"));
    value("backwards", format!("{word}{}", core.chars().rev().collect::<String>()));
    value("a blank in the middle", format!("{word}{} {}", &core[..9], &core[9..]));
    value("in quotes", format!("{word}\"{core}\""));
    value("with a NUL", format!("{good}\0"));
    value("with a zero-width blank", format!("{word}\u{200b}{core}"));
    value("in full-width digits", format!("{word}{}", core.chars().map(wide).collect::<String>()));
    value("percent-encoded", format!("{word}{}", core.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>()));
    value("as hex", format!("{word}{}", hex::encode(core)));
    value("null", format!("{word}null"));
    value("zeros", format!("{word}{}", "0".repeat(64)));
    value("f", format!("{word}{}", "f".repeat(64)));
    value("a star", format!("{word}*"));
    value("another word", format!("sha1={core}"));
    value("a word that ends otherwise", format!("{}:{core}", word.trim_end_matches([' ', '='])));
    value("the word twice", format!("x{word}{good}"));
    value("a word of another case", format!("{}{core}", flipped(word)));
    value("SHA-256 without a key", format!("{word}{}", hex::encode(Sha256::digest(BODY))));
    value("SHA-256 of secret and body", format!("{word}{}", hex::encode(Sha256::digest([SECRET, BODY].concat()))));
    for (what, secret) in [
        ("another secret", &b"It's a Secret to Nobody"[..]),
        ("a secret in another case", b"it's a secret to everybody"),
        ("a secret with a line break", b"It's a Secret to Everybody\n"),
        ("a secret with a blank", b"It's a Secret to Everybody "),
        ("the start of the secret", b"It's a Secret"),
        ("no secret", b""),
    ] {
        value(what, proof.value(secret, BODY));
    }
    let mut headers = |what: &str, headers: Pairs| bad.push((what.to_owned(), headers, BODY.to_vec()));
    let header = proof.header().to_owned();
    headers("no header", vec![]);
    headers("another header", vec![("x-signature".into(), good.clone())]);
    headers("the SHA-1 header", vec![("x-hub-signature".into(), good.clone())]);
    headers("repeated", vec![(header.clone(), good.clone()), (header.clone(), good.clone())]);
    headers("a wrong one before", vec![(header.clone(), changed(0)), (header.clone(), good.clone())]);
    headers("a wrong one after", vec![(header.clone(), good.clone()), (header, changed(0))]);
    if matches!(proof, Proof::Signature { .. }) {
        // Blanks around a token are no part of it; a signature stands alone.
        for (what, blank) in [("with a blank", " "), ("with a tab", "\t"), ("with a line break", "\n"), ("with a carriage return", "\r\n")]
        {
            headers(what, vec![(proof.header().to_owned(), format!("{good}{blank}"))]);
            headers(what, vec![(proof.header().to_owned(), format!("{blank}{good}"))]);
        }
        let mut body = |what: &str, body: &[u8]| bad.push((what.to_owned(), proof.headers(SECRET, BODY), body.to_vec()));
        body("an empty body", b"");
        body("a body in another case", b"Hello, world!");
        body("a body with a line break", b"Hello, World!\n");
        body("a body with a mark before", b"\xEF\xBB\xBFHello, World!");
        body("a body cut", b"Hello, World");
        body("a body as a form", b"payload=Hello%2C+World%21");
    }
    bad
}

fn wide(c: char) -> char {
    if c.is_ascii_graphic() { char::from_u32(c as u32 + 0xFEE0).expect("full-width forms") } else { c }
}

/// The word in the other case; a scheme such as `Bearer` may be written in any, so there the word is spoilt instead.
fn flipped(word: &str) -> String {
    match word {
        "" => "token ".to_owned(),
        "Bearer " => "Bearer=".to_owned(),
        word => word.to_uppercase(),
    }
}

#[test]
fn forty_ways_to_prove_nothing_are_refused() {
    for provider in ALL {
        let proof = proof(provider.kind());
        let bad = bad(&proof);
        assert!(bad.len() >= 40, "{} of {}", bad.len(), provider.kind());
        for (what, headers, body) in bad {
            let answer = check(*provider, &secrets(&[SECRET]), headers.clone(), &body);
            assert!(answer.is_err(), "{}: `{what}` was taken: {headers:?}", provider.kind());
            let answer = check(*provider, &secrets(&[b"another", SECRET]), headers, &body);
            assert!(answer.is_err(), "{}: `{what}` was taken while a secret rotates", provider.kind());
        }
    }
}

#[test]
fn a_good_proof_is_taken_also_while_a_secret_rotates() {
    for provider in ALL {
        let headers = || proof(provider.kind()).headers(SECRET, BODY);
        for known in [&[SECRET][..], &[SECRET, b"new"], &[b"old", SECRET]] {
            assert_eq!(check(*provider, &secrets(known), headers(), BODY), Ok(()), "{}", provider.kind());
        }
        assert!(check(*provider, &secrets(&[b"old", b"new"]), headers(), BODY).is_err(), "{}", provider.kind());
    }
}

#[test]
fn a_missing_proof_is_told_from_a_wrong_one() {
    for provider in ALL {
        let proof = proof(provider.kind());
        let wrong = proof.headers(b"wrong", BODY);
        assert_eq!(check(*provider, &secrets(&[SECRET]), vec![], BODY), Err(Rejected::MissingSignature), "{}", provider.kind());
        assert_eq!(check(*provider, &secrets(&[SECRET]), wrong, BODY), Err(Rejected::BadSignature), "{}", provider.kind());
    }
}

#[test]
fn without_a_secret_everything_is_taken() {
    for provider in ALL {
        let proof = proof(provider.kind());
        for headers in [vec![], proof.headers(SECRET, BODY), proof.headers(b"wrong", BODY)] {
            assert_eq!(check(*provider, &Secrets::none(), headers, BODY), Ok(()), "{}", provider.kind());
        }
    }
}

#[test]
fn what_is_kept_of_a_delivery_never_holds_its_proof() {
    for provider in ALL {
        let mut pairs = proof(provider.kind()).headers(SECRET, BODY);
        let value = pairs[0].1.clone();
        pairs.extend([("content-type", "application/json"), ("cookie", "a=b"), ("x-gitlab-token", "t")].map(|(n, v)| (n.into(), v.into())));
        for (name, kept) in Headers::new(pairs).keep(provider.kept_headers()) {
            assert!(kept != value && kept != "t" && kept != "a=b", "{} keeps {name}", provider.kind());
        }
    }
}

#[test]
fn the_published_example_of_github() {
    let github = by_kind("github").expect("GitHub");
    let headers = vec![("X-Hub-Signature-256".to_owned(), format!("sha256={PUBLISHED}"))];
    assert_eq!(mac(SECRET, BODY), PUBLISHED);
    assert_eq!(check(github, &secrets(&[SECRET]), headers, BODY), Ok(()));
    // Two signatures in one header are PagerDuty's way, not GitHub's.
    let two = format!("sha256={PUBLISHED},sha256={PUBLISHED}");
    assert!(check(github, &secrets(&[SECRET]), vec![("x-hub-signature-256".to_owned(), two)], BODY).is_err());
    // The old SHA-1 header, right or wrong, is not looked at.
    let old = vec![("x-hub-signature".to_owned(), "sha1=00".to_owned()), ("x-hub-signature-256".to_owned(), format!("sha256={PUBLISHED}"))];
    assert_eq!(check(github, &secrets(&[SECRET]), old, BODY), Ok(()));
}

#[test]
fn several_signatures_of_pagerduty() {
    let pagerduty = by_kind("pagerduty").expect("PagerDuty");
    let (good, bad) = (format!("v1={}", mac(SECRET, BODY)), format!("v1={}", mac(b"old", BODY)));
    let check = |value: String| check(pagerduty, &secrets(&[SECRET]), vec![("x-pagerduty-signature".to_owned(), value)], BODY);
    for taken in [format!("{good},{bad}"), format!("{bad},{good}"), format!("v0=1,{good}"), format!("{good},")] {
        assert_eq!(check(taken.clone()), Ok(()), "{taken}");
    }
    let second_version = good.replacen("v1", "v2", 1);
    for refused in [
        format!("{bad},{bad}"),
        second_version,
        format!("{bad};{good}"),
        format!("{bad}{good}"),
        [vec![bad; 8], vec![good]].concat().join(","),
    ] {
        assert!(check(refused.clone()).is_err(), "{refused}");
    }
}

#[test]
fn repeats_of_a_delivery_have_one_id() {
    let id = |kind: &str, headers: &[(&str, &str)], body: &str| {
        let provider = by_kind(kind).expect("a provider");
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let hook = Webhook::new(Headers::new(headers), body.to_owned().into());
        let hook = provider.verify(hook, &Secrets::none(), Time::default()).unwrap_or_else(|error| panic!("{error}"));
        provider.delivery_id(&hook)
    };
    assert_eq!(id("github", &[("X-GitHub-Delivery", "d-1")], "{}").as_deref(), Some("d-1"));
    assert_eq!(id("github", &[], "{}"), None);
    assert_eq!(id("pagerduty", &[("X-Webhook-Id", "w-1")], r#"{"event":{"id":"e-1"}}"#).as_deref(), Some("w-1"));
    assert_eq!(id("pagerduty", &[], r#"{"event":{"id":"e-1"}}"#).as_deref(), Some("e-1"));
    assert_eq!(id("pagerduty", &[], "not JSON"), None);
}
