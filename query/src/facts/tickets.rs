//! Tickets that titles and branches name: `SHOP-123`, `#123`.

/// Words before a number that are standards and algorithms, not projects.
const NO_PROJECTS: &[&str] =
    &["AES", "CVE", "CWE", "GHSA", "HTTP", "IPV", "ISO", "MD", "PEP", "RFC", "RSA", "SHA", "TLS", "UTC", "UTF", "X"];
const LONGEST_PROJECT: usize = 10;
const LONGEST_NUMBER: usize = 7;

/// The tickets named in a change's title and branch, in the order in which they are named, each once. `own`: the change's own
/// number, which a merge often puts behind the title.
pub fn tickets(title: Option<&str>, branch: Option<&str>, own: Option<&str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in [title, branch].into_iter().flatten() {
        let mut from = 0;
        // What a ticket may begin with stands behind no letter, digit or dash: `XSHOP-1` is not `SHOP-1`.
        while let Some(start) = text[from..].find(|c: char| c == '#' || c.is_ascii_uppercase()).map(|at| from + at) {
            let is_free = !text[..start].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '&' | '#'));
            let ticket = ticket_at(&text[start..]).filter(|_| is_free);
            from = start + ticket.map_or(1, str::len);
            if let Some(ticket) = ticket.filter(|ticket| own.is_none_or(|own| ticket.strip_prefix('#') != Some(own)))
                && !found.iter().any(|known| known == ticket)
            {
                found.push(ticket.to_owned());
            }
        }
    }
    found
}

/// The ticket with which a text begins.
fn ticket_at(text: &str) -> Option<&str> {
    let number = match text.strip_prefix('#') {
        Some(number) => number,
        None => {
            let (project, number) = text.split_once('-')?;
            let is_plain = project.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            let is_project = is_plain && (2..=LONGEST_PROJECT).contains(&project.len()) && !NO_PROJECTS.contains(&project);
            Some(number).filter(|_| is_project)?
        }
    };
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let after = &number[digits..];
    // `CVE-2024-1234`, `V1-2.3` and `#12ab` are something else.
    let goes_on = after.starts_with(|c: char| c.is_alphanumeric())
        || (after.starts_with(['-', '.']) && after[1..].starts_with(|c: char| c.is_ascii_digit()));
    let is_number = (1..=LONGEST_NUMBER).contains(&digits) && !number.starts_with('0') && !goes_on;
    is_number.then(|| &text[..text.len() - after.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_titles_and_branches_name() {
        for (title, branch, expected) in [
            ("SHOP-123: Raise limits", "", vec!["SHOP-123"]),
            ("Raise limits (SHOP-123, SHOP-7)", "feature/SHOP-7-limits", vec!["SHOP-123", "SHOP-7"]),
            ("Raise limits", "feature/SHOP-9-limits", vec!["SHOP-9"]),
            ("Fix #12 and #13", "", vec!["#12", "#13"]),
            ("Raise limits (#45)", "", vec![]),
            ("[AB2-1] x", "", vec!["AB2-1"]),
            ("Use SHA-256 and UTF-8, see CVE-2024-1234 and RFC-7231", "", vec![]),
            ("XSHOP-1a, shop-1, SHOP-0, SHOP-01, A-1, SHOP-12345678", "", vec![]),
            ("see &#39; and acme/shop#5", "", vec![]),
            ("TICKETWORD1-1", "", vec![]),
            ("Überfällig: SHOP-1", "", vec!["SHOP-1"]),
            ("SHOP-", "#", vec![]),
        ] {
            assert_eq!(tickets(Some(title), Some(branch), Some("45")), expected, "{title} {branch}");
        }
    }
}
