//! Helplines for children, by country: those that a public source was seen for, with the source and
//! its date, so that an owner can see whether it still holds, and set another one.
//!
//! Gathered in November 2026. What is not here was not verified, and is not guessed: a wrong number is
//! worse than none. The line for gender-based violence of one country was left out, for it is none
//! for children and its funding had ended.

use heapless::String;

/// Where something that harms a child is reported from any country: INHOPE, which leads to the hotline
/// of each (https://www.inhope.org/EN/articles/2024-inhope-call-for-action, spring 2024).
pub(super) const PORTAL: &str = "https://www.inhope.org/";

/// A line that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Helpline<'a> {
    pub(super) number: &'a str,
    pub(super) name: &'a str,
    pub(super) hours: &'a str,
    /// The year of the source; 0 when it is not known.
    pub(super) year: u16,
}

/// A line the owner has set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnHelpline {
    /// What to dial.
    pub number: String<24>,
    /// Whom that is.
    pub name: String<64>,
}

impl OwnHelpline {
    /// Reads `NUMBER, NAME`; `None` when it is not that.
    pub(crate) fn read(text: &str) -> Option<OwnHelpline> {
        let (number, name) = text.split_once(',')?;
        let is_dialed = |octet: u8| octet.is_ascii_digit() || matches!(octet, b' ' | b'+' | b'*');
        let (number, name) = (number.trim(), name.trim());
        let is_number =
            number.bytes().any(|octet| octet.is_ascii_digit()) && number.bytes().all(is_dialed);
        let is_sound = is_number && !name.is_empty();
        let own =
            || Some(OwnHelpline { number: number.try_into().ok()?, name: name.try_into().ok()? });
        is_sound.then(own).flatten()
    }
}

/// The line of a country.
pub(super) fn of_country(country: &str) -> Option<Helpline<'static>> {
    let row = HELPLINES.iter().find(|(code, ..)| *code == country)?;
    let (_, number, name, hours, year) = *row;
    Some(Helpline { number, name, hours, year })
}

/// Country (ISO 3166; EU for the harmonized number), number, name, hours where they are known, and the
/// year of the source, which stands above with its date.
type Row = (&'static str, &'static str, &'static str, &'static str, u16);

#[rustfmt::skip]
const HELPLINES: &[Row] = &[
    // https://www.alliance-sahel.org/actualites/116-un-numero-pour-la-protection-des-droits-de-lenfant-a-burkina-faso/, 2020
    ("BF", "116", "Numéro vert enfance en danger", "", 2020),
    // https://www.gouv.bj/actualite/559/, 2020-03
    ("BJ", "138", "Ligne d'assistance aux enfants (LAE)", "24/7", 2020),
    // https://www.em.com.br/trends/2026/02/7360960-rede-de-protecao-a-crianca-saiba-onde-e-como-denunciar-casos-de-abuso.html, 2026-02
    ("BR", "100", "Disque 100 (Direitos Humanos)", "24/7", 2026),
    // https://fr.allafrica.com/stories/202012230521.html, 2020-12
    ("CI", "116", "Allo Enfants en détresse", "24/7", 2020),
    // https://actucameroun.com/2022/12/16/alerte-le-116-nouvelle-ligne-dassistance-aux-enfants-en-detresse/, 2022-12
    ("CM", "116", "Ligne verte (MINPROFF)", "", 2022),
    // http://www.ouestribune-dz.com/fr/pres-de-400-appels-au-numero-vert-enregistres/, 2019
    ("DZ", "1111", "ONPPE numéro vert", "", 2019),
    // https://darelhilal.com/Print/3200195.aspx, 2026-03
    ("EG", "16000", "Child Helpline (NCCM)", "24/7", 2026),
    // https://childhelplineinternational.org/15-years-of-116111/, 2022-10
    ("EU", "116 111", "European harmonised child helpline number", "", 2022),
    // https://www.service-public.fr/particuliers/actualites/A14455, 2023-11
    ("FR", "119", "Allo Enfance en Danger", "24/7", 2023),
    // https://cocoainitiative.org/fr/node/1371, undated
    ("GH", "0800 800 800", "Helpline of Hope (MoGCSP)", "24/7", 0),
    // https://chennaifocus.in/2012/01/20/call-1098-when-you-see-any-child-in-distress/, 2012-01
    ("IN", "1098", "CHILDLINE", "24/7", 2012),
    // http://www.childrenscouncil.go.ke/child-help-line.html, 2021
    ("KE", "116", "Child Helpline 116 (Dept of Children's Services / Childline Kenya)", "24/7", 2021),
    // https://www.onde.ma/fr/onde/protection, 2025-12
    ("MA", "2511", "ONDE - Observatoire national des droits de l'enfant", "", 2025),
    // https://www.opportunites.mg/2021/03/recrutement-consultance-individuelle.html (UNICEF), 2021-03
    ("MG", "147", "Ligne verte", "24/7", 2021),
    // https://www.yonecofm.com/index.php/2018/05/17/celebrating-the-work-of-tithandizane-helpline/, 2018-05
    ("MW", "116", "Tithandizane National Child Helpline (YONECO)", "", 2018),
    // https://www.rtp.pt/noticias/pais/iac-regista-aumento-na-linha-de-apoio-sos-crianca-e-jovem_a1680065, 2025-08
    ("PT", "116 111", "SOS Criança e Jovem (IAC)", "", 2025),
    // http://wvi.org/rwanda/article/world-vision-rwanda-develops-toll-free-child-help-line-system, 2016-07
    ("RW", "116", "Child Help Line (Rwanda National Police)", "", 2016),
    // https://fr.allafrica.com/stories/202311120158.html, 2024
    ("SN", "116", "Allo 116 (Ministère de la Famille)", "", 2024),
    // https://togotribune.com/news/togo-allo-1011-et-ushadi-denoncez-les-cas-de-viols-et-violences-sur-les-enfants, undated
    ("TG", "1011", "Allo 1011", "", 0),
    // https://www.turess.com/tuniscope/378958, 2020+
    ("TN", "1809", "Ligne verte enfance (Ministère de la Famille)", "", 2020),
    // http://www.sematanzania.org/helpline.php, undated
    ("TZ", "116", "Child Helpline 116 (C-Sema)", "", 0),
    // https://mglsd.go.ug/uganda-child-helpline-116/, undated
    ("UG", "116", "Uganda Child Helpline (Sauti)", "", 0),
    // https://vukuzenzele.gov.za/children-can-call-116-help, 2022
    ("ZA", "116", "Childline South Africa", "", 2022),
    // https://childhelplineinternational.org/20-years-20-voices-lifeline-childline-zambia/, 2023
    ("ZM", "116", "Childline Zambia (LifeLine/ChildLine)", "24/7", 2023),
    // https://www.unicef.org/zimbabwe/stories/zimbabwe-free-helpline-116-spells-hope-children, 2019-03
    ("ZW", "116", "Childline Zimbabwe", "", 2019),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_called() {
        for (country, number, name, _, year) in HELPLINES {
            assert!(country.len() == 2 && !name.is_empty() && (*year == 0 || *year >= 2012));
            assert!(number.bytes().all(|octet| octet.is_ascii_digit() || octet == b' '));
        }
        assert_eq!(of_country("FR").unwrap().number, "119");
        assert_eq!(of_country("XX"), None);
    }

    #[test]
    fn an_owner_sets_a_number_and_whose_it_is() {
        let own = OwnHelpline::read("+1 555 0100, Line of Example").unwrap();
        assert_eq!((&*own.number, &*own.name), ("+1 555 0100", "Line of Example"));
        for text in ["", "555", "call me, Example", "555,", ", Example"] {
            assert_eq!(OwnHelpline::read(text), None, "{text}");
        }
    }
}
