//! The JSON object of a problem (SPEC.md 11.1).

use serde::{Deserialize, Serialize};

use super::{Kind, Problem, extra::Members, table::Carries};
use crate::{
    json,
    page_url::PageUrl,
    remedy::{Action, By, Remedy},
    time::Time,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: String,
    status: u16,
    server_time: Time,
    remedy: RemedyDocument,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(flatten)]
    members: Members,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemedyDocument {
    action: String,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    not_before: Option<Time>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    url: Option<PageUrl>,
}

impl From<Document> for Problem {
    fn from(document: Document) -> Self {
        let Document { kind, title, detail, status, server_time, remedy, instance, members } =
            document;
        let kind = Kind::read(kind);
        let carries = match &kind {
            Kind::Known(token) => token.row().carries,
            Kind::Other(_) => Carries::Nothing,
        };
        let remedy = Remedy {
            action: Action::from_name(&remedy.action).unwrap_or(Action::by_status(status)),
            by: remedy.by.as_deref().and_then(By::from_name),
            not_before: remedy.not_before,
            url: remedy.url,
        };
        let extra = members.into_extra(carries);
        Self { kind, title, detail, status, server_time, remedy, instance, extra }
    }
}

impl From<Problem> for Document {
    fn from(problem: Problem) -> Self {
        Self {
            kind: problem.kind.to_string(),
            title: problem.title,
            detail: problem.detail,
            status: problem.status,
            server_time: problem.server_time,
            remedy: RemedyDocument {
                action: problem.remedy.action.as_str().to_owned(),
                by: problem.remedy.by.map(|by| by.as_str().to_owned()),
                not_before: problem.remedy.not_before,
                url: problem.remedy.url,
            },
            instance: problem.instance,
            members: problem.extra.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Extra, Token};
    use super::*;

    fn read(kind: &str, action: &str, more: &str) -> Problem {
        let json = format!(
            r#"{{"type":"{kind}","title":"t","detail":"d","status":409,
                "serverTime":"2026-11-23T00:00:00Z","remedy":{{"action":"{action}"}}{more}}}"#
        );
        serde_json::from_str(&json).expect("a problem document")
    }

    #[test]
    fn an_unknown_token_is_kept_as_text_and_acted_on_by_its_remedy() {
        let problem = read("urn:koshin:error:newThing", "resumeOrder", "");
        assert_eq!(problem.kind, Kind::Other("urn:koshin:error:newThing".to_owned()));
        assert_eq!(problem.remedy.action, Action::ResumeOrder);
        assert_eq!(Problem::from(Document::from(problem.clone())), problem);
    }

    #[test]
    fn an_unknown_action_becomes_that_of_the_status() {
        let problem = read("urn:koshin:error:orderExists", "dance", "");
        assert_eq!(problem.remedy.action, Action::Stop);
        assert_eq!(problem.token(), Some(Token::OrderExists));
    }

    #[test]
    fn a_missing_or_odd_extra_member_does_not_hide_the_problem() {
        let order = r#","order":"https://bank.example/koshin/order/1""#;
        for more in ["", order, r#","order":7,"key":"x""#, r#","x":{"y":[1]}"#] {
            let problem = read("urn:koshin:error:orderExists", "resumeOrder", more);
            assert_eq!(problem.extra, Extra::Nothing, "{more}");
        }
    }
}
