//! Problem documents, as a client reads them.

use koshin_protocol::json;
use koshin_protocol::problem::{Problem, Token};
use serde_json::{Value, json};

use super::outcome::Outcome;

pub(crate) fn run(input: &Value) -> Outcome {
    match json::parse::<Problem>(input["document"].to_string().as_bytes()) {
        Ok(problem) => {
            let outcome = Outcome::valid(json!({
                "token": problem.token().map(Token::as_str),
                "action": problem.remedy.action.as_str(),
                "status": problem.status,
            }));
            let again = serde_json::to_value(&problem).expect("a problem is JSON");
            let known = problem
                .token()
                .is_some_and(|token| token.row().actions().any(|a| a == problem.remedy.action));
            let same = !known
                || input["document"].get("x-example-more").is_some()
                || again == input["document"];
            assert!(same, "written again it is another document: {again}");
            outcome
        }
        Err(_) => Outcome::refused_by_client(),
    }
}
