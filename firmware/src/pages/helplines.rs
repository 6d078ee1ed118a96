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
    pub(super) source: &'a str,
    pub(super) source_date: &'a str,
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
    let (_, number, name, hours, source, source_date) = *row;
    Some(Helpline { number, name, hours, source, source_date })
}

type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// Country (ISO 3166; EU for the harmonized number), number, name, hours where they are known, source,
/// and date of the source.
#[rustfmt::skip]
const HELPLINES: &[Row] = &[
    ("BF", "116", "Numéro vert enfance en danger", "", "https://www.alliance-sahel.org/actualites/116-un-numero-pour-la-protection-des-droits-de-lenfant-a-burkina-faso/", "2020"),
    ("BJ", "138", "Ligne d'assistance aux enfants (LAE)", "24/7", "https://www.gouv.bj/actualite/559/", "2020-03"),
    ("BR", "100", "Disque 100 (Direitos Humanos)", "24/7", "https://www.em.com.br/trends/2026/02/7360960-rede-de-protecao-a-crianca-saiba-onde-e-como-denunciar-casos-de-abuso.html", "2026-02"),
    ("CI", "116", "Allo Enfants en détresse", "24/7", "https://fr.allafrica.com/stories/202012230521.html", "2020-12"),
    ("CM", "116", "Ligne verte 116 (MINPROFF)", "", "https://actucameroun.com/2022/12/16/alerte-le-116-nouvelle-ligne-dassistance-aux-enfants-en-detresse/", "2022-12"),
    ("DZ", "1111", "ONPPE numéro vert", "", "http://www.ouestribune-dz.com/fr/pres-de-400-appels-au-numero-vert-enregistres/", "2019"),
    ("EG", "16000", "Child Helpline (NCCM)", "24/7", "https://darelhilal.com/Print/3200195.aspx", "2026-03"),
    ("EU", "116 111", "European harmonised child helpline number", "", "https://childhelplineinternational.org/15-years-of-116111/", "2022-10"),
    ("FR", "119", "119 Allo Enfance en Danger", "24/7", "https://www.service-public.fr/particuliers/actualites/A14455", "2023-11"),
    ("GH", "0800 800 800", "Helpline of Hope (MoGCSP)", "24/7", "https://cocoainitiative.org/fr/node/1371", "undated"),
    ("IN", "1098", "CHILDLINE", "24/7", "https://chennaifocus.in/2012/01/20/call-1098-when-you-see-any-child-in-distress/", "2012-01"),
    ("KE", "116", "Child Helpline 116 (Dept of Children's Services / Childline Kenya)", "24/7", "http://www.childrenscouncil.go.ke/child-help-line.html", "2021"),
    ("MA", "2511", "ONDE - Observatoire national des droits de l'enfant", "", "https://www.onde.ma/fr/onde/protection", "2025-12"),
    ("MG", "147", "Ligne verte 147", "24/7", "https://www.opportunites.mg/2021/03/recrutement-consultance-individuelle.html (UNICEF)", "2021-03"),
    ("MW", "116", "Tithandizane National Child Helpline (YONECO)", "", "https://www.yonecofm.com/index.php/2018/05/17/celebrating-the-work-of-tithandizane-helpline/", "2018-05"),
    ("PT", "116 111", "SOS Criança e Jovem (IAC)", "", "https://www.rtp.pt/noticias/pais/iac-regista-aumento-na-linha-de-apoio-sos-crianca-e-jovem_a1680065", "2025-08"),
    ("RW", "116", "Child Help Line (Rwanda National Police)", "", "http://wvi.org/rwanda/article/world-vision-rwanda-develops-toll-free-child-help-line-system", "2016-07"),
    ("SN", "116", "Allo 116 (Ministère de la Famille)", "", "https://fr.allafrica.com/stories/202311120158.html", "2024"),
    ("TG", "1011", "Allo 1011", "", "https://togotribune.com/news/togo-allo-1011-et-ushadi-denoncez-les-cas-de-viols-et-violences-sur-les-enfants", "undated"),
    ("TN", "1809", "Ligne verte enfance (Ministère de la Famille)", "", "https://www.turess.com/tuniscope/378958", "2020+"),
    ("TZ", "116", "Child Helpline 116 (C-Sema)", "", "http://www.sematanzania.org/helpline.php", "undated"),
    ("UG", "116", "Uganda Child Helpline (Sauti)", "", "https://mglsd.go.ug/uganda-child-helpline-116/", "undated"),
    ("ZA", "116", "Childline South Africa", "", "https://vukuzenzele.gov.za/children-can-call-116-help", "2022"),
    ("ZM", "116", "Childline Zambia (LifeLine/ChildLine)", "24/7", "https://childhelplineinternational.org/20-years-20-voices-lifeline-childline-zambia/", "2023"),
    ("ZW", "116", "Childline Zimbabwe", "", "https://www.unicef.org/zimbabwe/stories/zimbabwe-free-helpline-116-spells-hope-children", "2019-03"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_says_where_it_comes_from() {
        for (country, number, name, _, source, date) in HELPLINES {
            assert!(country.len() == 2 && !name.is_empty() && !date.is_empty());
            assert!(number.bytes().all(|octet| octet.is_ascii_digit() || octet == b' '));
            assert!(source.contains('.'), "{source}");
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
