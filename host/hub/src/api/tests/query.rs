//! A query over the API: of which clients, and what is said of what is wrong with it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Answered, Desk};
use crate::db::tests::one_of_everything;

async fn ask(desk: &Desk, clients: &[&str], body: Value) -> Answered {
    let seat = desk.sit("tess", clients);
    desk.ask(&seat, "POST", "/v1/query", body.to_string().as_bytes()).await
}

#[tokio::test]
async fn a_query_is_narrowed_to_clients_of_one_s_own() {
    let desk = Desk::new().await;
    let fill = |change: &crate::db::Change<'_>| {
        one_of_everything(change, "acme")?;
        one_of_everything(change, "globex")
    };
    desk.world.hub.db.write(fill).await.unwrap();
    let sql = "SELECT DISTINCT client, presence FROM devices ORDER BY client";
    for (seat, clients, expected) in [
        (&["*"][..], json!([]), Some(json!([["acme", "unknown"], ["globex", "unknown"]]))),
        (&["*"], json!(["globex"]), Some(json!([["globex", "unknown"]]))),
        (&["acme"], json!([]), Some(json!([["acme", "unknown"]]))),
        (&["acme"], json!(["acme"]), Some(json!([["acme", "unknown"]]))),
        (&["acme"], json!(["globex"]), None),
        (&["acme"], json!(["acme", "globex"]), None),
        (&["acme"], json!(["*"]), None),
    ] {
        let answered = ask(&desk, seat, json!({ "sql": sql, "clients": clients })).await;
        match expected {
            Some(rows) => {
                assert_eq!((answered.status, &answered.body["rows"]), (StatusCode::OK, &rows), "{}", answered.body);
                assert_eq!(answered.body["columns"], json!(["client", "presence"]));
            }
            None => assert!(answered.status.is_client_error(), "{}", answered.body),
        }
    }
    let wrong = ask(&desk, &["acme"], json!({ "sql": "SELECT nobody FROM devices" })).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body["errors"].to_string().contains("line 1, column 8: no such column: nobody"), "{}", wrong.body);
}
