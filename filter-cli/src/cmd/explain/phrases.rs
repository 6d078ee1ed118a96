//! The sentences of `explain`, in each of its languages. `{…}` is filled in.

use clap::ValueEnum;

/// A language `explain` speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// English
    En,
    /// French
    Fr,
}

impl Language {
    /// The language of the environment, English when it is none of ours.
    pub(super) fn of_environment() -> Language {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        match locale.is_some_and(|locale| locale.to_ascii_lowercase().starts_with("fr")) {
            true => Language::Fr,
            false => Language::En,
        }
    }

    /// Its sentences.
    pub(super) const fn phrases(self) -> &'static Phrases {
        match self {
            Language::En => &ENGLISH,
            Language::Fr => &FRENCH,
        }
    }
}

/// The sentences of one language.
pub(super) struct Phrases {
    pub(super) block: &'static str,
    pub(super) allow: &'static str,
    pub(super) pass: &'static str,
    pub(super) by_mandated: &'static str,
    pub(super) by_never_block: &'static str,
    pub(super) by_local: &'static str,
    pub(super) by_rule: &'static str,
    pub(super) by_keyword: &'static str,
    pub(super) categories: &'static str,
    pub(super) rules: &'static str,
    pub(super) no_rules: &'static str,
    pub(super) no_index: &'static str,
    pub(super) exact: &'static str,
    pub(super) subtree: &'static str,
    pub(super) below: &'static str,
    pub(super) action_block: &'static str,
    pub(super) action_allow: &'static str,
    pub(super) important: &'static str,
    pub(super) list: &'static str,
    pub(super) line: &'static str,
    pub(super) decides: &'static str,
    pub(super) agrees: &'static str,
    pub(super) does_not_cover: &'static str,
    pub(super) disabled: &'static str,
    pub(super) lost_to_mandated: &'static str,
    pub(super) lost_to_never_block: &'static str,
    pub(super) lost_to_local: &'static str,
    pub(super) lost_to_important: &'static str,
    pub(super) lost_to_specific: &'static str,
    pub(super) lost_to_exception: &'static str,
    pub(super) advice: &'static str,
    pub(super) let_through: &'static str,
    pub(super) keep_away: &'static str,
    pub(super) let_through_listed: &'static str,
    pub(super) keep_away_listed: &'static str,
    pub(super) report: &'static str,
    pub(super) no_source: &'static str,
    pub(super) mandated: &'static str,
    pub(super) own_list: &'static str,
    pub(super) keyword: &'static str,
    pub(super) never_block: &'static str,
}

/// A list of the operator's own, as it stands in the manifest.
pub(super) const LISTING: &str = "
    [[list]]
    id = \"{id}\"
    category = \"{local}\"
    path = \"{id}.txt\"
    format = \"domains\"
    action = \"{action}\"";

static ENGLISH: Phrases = Phrases {
    block: "{name} is blocked.",
    allow: "{name} is let through on purpose.",
    pass: "{name} is let through: nothing is known against it.",
    by_mandated: "The rule for {by} decides. It belongs to a category that must be blocked by law.",
    by_never_block: "{by} is one of the names that are never blocked: help, health, reporting, \
                     and what devices need to work.",
    by_local: "Your own rule for {by} decides. It goes before all other lists.",
    by_rule: "The rule for {by} decides.",
    by_keyword: "No list names it, but there is the word `{by}` in it (weight {weight}, score \
                 {score}, blocked from {threshold}).",
    categories: "Categories: {categories}.",
    rules: "What the lists say about this name and its parents:",
    no_rules: "No list says anything about this name or its parents.",
    no_index: "The lines of the lists are not known: {file} is missing or belongs to another \
               image. `gardefou build` writes it beside the image.",
    exact: "{name} alone",
    subtree: "{name} and everything below",
    below: "everything below {name}",
    action_block: "block",
    action_allow: "let through",
    important: "important",
    list: "list {list}",
    line: "line {line} of {file}",
    decides: "this decides",
    agrees: "says the same",
    does_not_cover: "does not reach this name",
    disabled: "its category is not enabled",
    lost_to_mandated: "overridden by a category blocked by law",
    lost_to_never_block: "overridden: {by} is never blocked",
    lost_to_local: "overridden by your own rule",
    lost_to_important: "overridden by an important rule",
    lost_to_specific: "overridden by the more specific rule for {by}",
    lost_to_exception: "overridden: an exception wins over a block of the same name",
    advice: "What you can do:",
    let_through: "To let it through here, write `{name}` into a file {id}.txt beside \
                  gardefou.toml, add the following there, and run `gardefou build`. It lets \
                  everything below through, too; with scope = \"exact\", only the name.",
    keep_away: "To block it here, write `{name}` into a file {id}.txt beside gardefou.toml, add \
                the following there, and run `gardefou build`.",
    let_through_listed: "To let it through here, write `{name}` into the file of your list \
                         {id}{file} and run `gardefou build`. It lets everything below through, \
                         too.",
    keep_away_listed: "To block it here, write `{name}` into the file of your list {id}{file} and \
                       run `gardefou build`.",
    report: "If it should not be blocked anywhere, tell the publisher of list {list}: {source}",
    no_source: "its source is not stated",
    mandated: "This cannot be lifted here. If it is a mistake, turn to the authority behind list \
               {list}: {source}",
    own_list: "Your own list {list} says so: to change it, take the rule for {by} out and run \
               `gardefou build`.",
    keyword: "If the word is harmless in such names, add this to the keyword file and tell us, \
              so that it helps others:\n\n    [[exception]]\n    text = \"{label}\"\n    weight \
              = {weight}",
    never_block: "Lists and your own rules do not change this. If it is a mistake, take the line \
                  for {by} out of the file that [never_block] names in gardefou.toml.",
};

static FRENCH: Phrases = Phrases {
    block: "{name} est bloqué.",
    allow: "{name} est autorisé exprès.",
    pass: "{name} est autorisé : rien n'est connu contre lui.",
    by_mandated: "La règle pour {by} décide. Sa catégorie doit être bloquée de par la loi.",
    by_never_block: "{by} est un des noms qui ne sont jamais bloqués : aide, santé, signalement, \
                     et ce qu'il faut aux appareils pour fonctionner.",
    by_local: "Votre propre règle pour {by} décide. Elle passe avant toutes les autres listes.",
    by_rule: "La règle pour {by} décide.",
    by_keyword: "Aucune liste ne le nomme, mais il contient le mot « {by} » (poids {weight}, \
                 total {score}, blocage à partir de {threshold}).",
    categories: "Catégories : {categories}.",
    rules: "Ce que les listes disent de ce nom et de ses parents :",
    no_rules: "Aucune liste ne parle de ce nom ni de ses parents.",
    no_index: "Les lignes des listes ne sont pas connues : {file} manque ou appartient à une \
               autre image. `gardefou build` l'écrit à côté de l'image.",
    exact: "{name} seul",
    subtree: "{name} et tout ce qui est au-dessous",
    below: "tout ce qui est au-dessous de {name}",
    action_block: "bloquer",
    action_allow: "autoriser",
    important: "important",
    list: "liste {list}",
    line: "ligne {line} de {file}",
    decides: "c'est ce qui décide",
    agrees: "dit la même chose",
    does_not_cover: "ne concerne pas ce nom",
    disabled: "sa catégorie n'est pas activée",
    lost_to_mandated: "sans effet : une catégorie bloquée de par la loi l'emporte",
    lost_to_never_block: "sans effet : {by} n'est jamais bloqué",
    lost_to_local: "sans effet : votre propre règle l'emporte",
    lost_to_important: "sans effet : une règle importante l'emporte",
    lost_to_specific: "sans effet : la règle plus précise pour {by} l'emporte",
    lost_to_exception: "sans effet : pour un même nom, l'exception l'emporte sur le blocage",
    advice: "Ce que vous pouvez faire :",
    let_through: "Pour l'autoriser ici, écrivez `{name}` dans un fichier {id}.txt à côté de \
                  gardefou.toml, ajoutez-y ce qui suit, et lancez `gardefou build`. Tout ce qui \
                  est au-dessous est alors autorisé aussi ; avec scope = \"exact\", le nom seul.",
    keep_away: "Pour le bloquer ici, écrivez `{name}` dans un fichier {id}.txt à côté de \
                gardefou.toml, ajoutez-y ce qui suit, et lancez `gardefou build`.",
    let_through_listed: "Pour l'autoriser ici, écrivez `{name}` dans le fichier de votre liste \
                         {id}{file} et lancez `gardefou build`. Tout ce qui est au-dessous est \
                         alors autorisé aussi.",
    keep_away_listed: "Pour le bloquer ici, écrivez `{name}` dans le fichier de votre liste \
                       {id}{file} et lancez `gardefou build`.",
    report: "S'il ne devrait être bloqué nulle part, signalez-le à l'éditeur de la liste {list} : \
             {source}",
    no_source: "sa source n'est pas indiquée",
    mandated: "Ce blocage ne peut pas être levé ici. En cas d'erreur, adressez-vous à l'autorité \
               dont vient la liste {list} : {source}",
    own_list: "C'est votre propre liste {list} : pour changer cela, ôtez-en la règle pour {by} et \
               lancez `gardefou build`.",
    keyword: "Si le mot est inoffensif dans de tels noms, ajoutez ceci au fichier de mots-clés, \
              et signalez-le-nous, pour que d'autres en profitent :\n\n    [[exception]]\n    \
              text = \"{label}\"\n    weight = {weight}",
    never_block: "Ni les listes ni vos propres règles n'y changent rien. En cas d'erreur, ôtez la \
                  ligne de {by} du fichier que [never_block] nomme dans gardefou.toml.",
};

/// Fills a sentence in.
pub(super) fn fill(phrase: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(phrase.len() + 32);
    let mut rest = phrase;
    // Ends because every turn takes a mark off `rest`. What is filled in is not looked at again.
    while let Some((before, behind)) = rest.split_once('{') {
        let (mark, behind) = behind.split_once('}').unwrap_or((behind, ""));
        text += before;
        text += values.iter().find(|(name, _)| *name == mark).map_or("", |(_, value)| value);
        rest = behind;
    }
    text + rest
}
