//! The people of the shop and its bots, all invented.

pub struct Person {
    pub id: i64,
    pub name: &'static str,
    pub username: &'static str,
    pub team: &'static str,
    /// Where their clock is, in minutes east of UTC.
    pub offset: i32,
    pub is_bot: bool,
}

impl Person {
    pub fn email(&self) -> String {
        if self.username.contains('[') {
            return format!("{}+{}@users.noreply.github.com", self.id, self.username);
        }
        [self.username, "@shop.example"].concat()
    }
}

const fn person(id: i64, name: &'static str, username: &'static str, team: &'static str, offset: i32) -> Person {
    Person { id, name, username, team, offset, is_bot: false }
}

const fn bot(id: i64, name: &'static str, username: &'static str) -> Person {
    Person { id, name, username, team: "", offset: 0, is_bot: true }
}

pub static PEOPLE: [Person; 24] = [
    person(101, "Amara Lindqvist", "amara.lindqvist", "payments", 60),
    person(102, "Tomas Okoye", "tomas.okoye", "payments", 0),
    person(103, "Ines Falkenrath", "ines.falkenrath", "payments", 60),
    person(104, "Ravi Sundaresh", "ravi.sundaresh", "payments", 330),
    person(105, "Hana Mirza", "hana.mirza", "payments", 120),
    person(106, "Pilar Echeverri", "pilar.echeverri", "storefront", -300),
    person(107, "Jonas Brekke", "jonas.brekke", "storefront", 60),
    person(108, "Mei Takahara", "mei.takahara", "storefront", 540),
    person(109, "Olu Adeyinka", "olu.adeyinka", "storefront", 60),
    person(110, "Celia Rossmann", "celia.rossmann", "storefront", 60),
    person(111, "Petr Havlik", "petr.havlik", "fulfilment", 120),
    person(112, "Zoe Karagianni", "zoe.karagianni", "fulfilment", 120),
    person(113, "Samir Belkacem", "samir.belkacem", "fulfilment", 60),
    person(114, "Lotte Vermaas", "lotte.vermaas", "fulfilment", 60),
    person(115, "Diego Quispe", "diego.quispe", "platform", -300),
    person(116, "Freya Haugland", "freya.haugland", "platform", 60),
    person(117, "Kwame Asante-Bell", "kwame.asantebell", "platform", 0),
    person(118, "Nadia Petrescu", "nadia.petrescu", "shopfront", 120),
    person(119, "Luca Tamburini", "luca.tamburini", "shopfront", 60),
    person(120, "Sofie Raske", "sofie.raske", "shopfront", 60),
    person(121, "Arjun Velankar", "arjun.velankar", "shopfront", 330),
    bot(190, "Renovate Bot", "renovate-bot"),
    bot(49_699_333, "dependabot[bot]", "dependabot[bot]"),
    bot(192, "Deploy Bot", "deploy-bot"),
];

pub fn of_team(team: &str) -> Vec<&'static Person> {
    PEOPLE.iter().filter(|person| person.team == team).collect()
}

pub fn renovate() -> &'static Person {
    &PEOPLE[21]
}

pub fn dependabot() -> &'static Person {
    &PEOPLE[22]
}

pub fn deploy_bot() -> &'static Person {
    &PEOPLE[23]
}
