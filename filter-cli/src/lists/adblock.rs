//! Adblock-style lists, as far as they are about names. Meanings are AdGuard's:
//!
//! - `||name^` blocks the name and everything below, `||*.name^` everything below, `|name^` the
//!   name alone; `@@` before it allows; `$important` behind it makes it win. The `^` may be
//!   missing.
//! - a plain `name` and a hosts line mean that name alone;
//! - `!` and `#` begin comments, `[Adblock …]` is a header;
//! - cosmetic rules, paths, regular expressions, patterns that could match in the middle of a
//!   name, and rules with any other modifier are out of scope: dropping the modifier would block
//!   more than the list asks for.

use filter_core::{Action, Scope};

use super::dialect::{Line, RawEntry};
use super::{hosts, lines};

pub(super) fn line(text: &[u8]) -> Line<'_> {
    let text = text.trim_ascii();
    match text {
        [] => return Line::Blank,
        [b'!', ..] | [b'[', .., b']'] => return Line::Comment,
        _ if is_cosmetic(text) => return Line::out_of_scope("a cosmetic rule"),
        [b'#', ..] => return Line::Comment,
        _ => {}
    }
    let text = lines::without_comment(text);
    let (rule, action) = match text.strip_prefix(b"@@") {
        Some(rule) => (rule, Action::Allow),
        None => (text, Action::Block),
    };
    if let Some(rest) = rule.strip_prefix(b"/") {
        let regex = rest.ends_with(b"/") || rest.windows(2).any(|pair| pair == b"/$");
        return Line::out_of_scope(if regex { "a regular expression" } else { "a path rule" });
    }
    let (pattern, modifiers) = match rule.iter().position(|&byte| byte == b'$') {
        Some(at) => (&rule[..at], Some(&rule[at + 1..])),
        None => (rule, None),
    };
    let anchored = pattern.starts_with(b"|") || pattern.starts_with(b"*.");
    if !anchored {
        let plain = action == Action::Block && modifiers.is_none() && !pattern.contains(&b'^');
        return if plain {
            hosts::line(text)
        } else {
            Line::out_of_scope("a pattern without `||` before it")
        };
    }
    let important = match modifiers.map(important) {
        None => false,
        Some(Ok(())) => true,
        Some(Err(modifier)) => return Line::out_of_scope(format!("the modifier `{modifier}`")),
    };
    match anchored_name(pattern) {
        Ok((name, scope)) => {
            Line::Rules(RawEntry { important, ..RawEntry::new(name, scope, action) }, Vec::new())
        }
        Err(line) => line,
    }
}

/// The name and scope of a pattern that begins with `||`, `|` or `*.`.
fn anchored_name(pattern: &[u8]) -> Result<(&[u8], Scope), Line<'static>> {
    let (body, exact) = match pattern.strip_prefix(b"|") {
        Some(body) => (body.strip_prefix(b"|").unwrap_or(body), !body.starts_with(b"|")),
        None => (pattern, false),
    };
    let body = body.strip_suffix(b"|").unwrap_or(body);
    let body = body.strip_suffix(b"^").unwrap_or(body);
    let (name, scope) = match body.strip_prefix(b"*.") {
        Some(_) if exact => return Err(Line::out_of_scope("a wildcard inside a name")),
        Some(name) => (name, Scope::Below),
        None if exact => (body, Scope::Exact),
        None => (body, Scope::Subtree),
    };
    if name.is_empty() || name == b"*" {
        Err(Line::syntax("no name in the pattern"))
    } else if name.contains(&b'*') {
        Err(Line::out_of_scope("a wildcard inside a name"))
    } else if name.contains(&b'/') && !name.windows(3).any(|part| part == b"://") {
        Err(Line::out_of_scope("a path rule"))
    } else {
        Ok((name, scope))
    }
}

/// Whether the modifiers are `important` and nothing else; otherwise the first that is not,
/// without its value.
fn important(modifiers: &[u8]) -> Result<(), String> {
    for modifier in modifiers.split(|&byte| byte == b',') {
        let modifier = modifier.trim_ascii();
        if modifier != b"important" {
            let name = modifier.split(|&byte| byte == b'=').next().unwrap_or(modifier);
            return Err(super::reason::excerpt(name));
        }
    }
    Ok(())
}

/// Whether the line hides parts of pages: `site##selector`, its variants with one to three of
/// `@ ? $ %` between the `#`, and `site$$selector`.
fn is_cosmetic(text: &[u8]) -> bool {
    if text.windows(2).any(|pair| pair == b"$$") {
        return true;
    }
    text.iter().enumerate().filter(|&(_, &byte)| byte == b'#').any(|(at, _)| {
        let starts = at == 0 || !lines::is_blank(&text[at - 1]);
        let rest = &text[at + 1..];
        let marks = rest.iter().take_while(|byte| b"@?$%".contains(byte)).count();
        let selector = match &rest[marks..] {
            [b'#', selector, ..] => !lines::is_blank(selector) && *selector != b'#',
            _ => false,
        };
        starts && marks <= 3 && selector
    })
}
