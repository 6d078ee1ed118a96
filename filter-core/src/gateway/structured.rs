//! Why a name is blocked, for programs: takes what holds for it, gives a text in JSON
//! (draft-ietf-dnsop-structured-dns-error-22).
//!
//! A client asks for it with an EDNS option that has no number yet, so
//! [`Settings::structured_errors`](super::Settings::structured_errors) tells it. It takes what we say
//! for true only over an encrypted transport; over any other it is a help to who looks for a fault.

use domain::base::iana::exterr::ExtendedErrorCode;
use heapless::String;
use serde::Serialize;

use super::reply::{REASON_LEN_MAX, ReasonText};
use crate::policy::Policy;

/// The members of the object (section 4 of the draft), under their short names.
#[derive(Clone, Copy, Serialize)]
struct Structured<'a> {
    /// Where to appeal.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    contacts: Option<[&'a str; 1]>,
    #[serde(rename = "j", skip_serializing_if = "Option::is_none")]
    justification: Option<&'a str>,
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    sub_error: Option<u8>,
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    /// Of the justification and the organization.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
}

/// The text for a name blocked in this category, for this reason.
///
/// When all does not fit, justification and organization are left out, as the draft has it
/// (section 5.2); nothing is better than half an object.
pub(super) fn structured(category: &str, reason: ExtendedErrorCode, policy: &Policy) -> ReasonText {
    let present = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let full = Structured {
        contacts: present(policy.contact()).map(|contact| [contact]),
        justification: present(category),
        sub_error: sub_error(category, reason),
        organization: present(policy.operator()),
        language: Some("en"),
    };
    let short = Structured { justification: None, organization: None, language: None, ..full };
    write(&full).or_else(|| write(&short)).unwrap_or_default()
}

fn write(object: &Structured<'_>) -> Option<String<REASON_LEN_MAX>> {
    serde_json_core::to_string(object).ok()
}

/// The numbers of the draft's registry (section 9.4). None goes with the law, and that it is the
/// operator's policy goes with *Blocked* alone.
fn sub_error(category: &str, reason: ExtendedErrorCode) -> Option<u8> {
    match (category, reason) {
        (_, ExtendedErrorCode::CENSORED) => None,
        ("malware", _) => Some(1),
        ("phishing", _) => Some(2),
        ("stalkerware", _) => Some(4),
        (_, ExtendedErrorCode::BLOCKED) => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::CategorySet;

    fn policy(operator: &str, contact: &str) -> Policy {
        let mut policy = Policy::new(CategorySet::EMPTY);
        policy.set_operator(operator);
        policy.set_contact(contact);
        policy
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let quotes = "\"".repeat(48);
        let escaped = "\\\"".repeat(48);
        let text = structured("malware", ExtendedErrorCode::BLOCKED, &policy(&quotes, "tel:116"));
        let expected =
            [r#"{"c":["tel:116"],"j":"malware","s":1,"o":""#, &escaped, r#"","l":"en"}"#].concat();
        assert_eq!(text, *expected);
        let contact = ["mailto:", &"a".repeat(54), "@b"].concat();
        let text = structured("malware", ExtendedErrorCode::BLOCKED, &policy(&quotes, &contact));
        assert_eq!(text, *[r#"{"c":[""#, &contact, r#""],"s":1}"#].concat());
    }

    #[test]
    fn the_law_has_no_sub_error() {
        let text = structured("required by law", ExtendedErrorCode::CENSORED, &policy("", ""));
        assert_eq!(text, r#"{"j":"required by law","l":"en"}"#);
    }
}
