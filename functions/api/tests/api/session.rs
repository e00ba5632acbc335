//! The life of a session.

use sqlx::PgPool;
use toji_protocol::value::Value;

use crate::app::{ADMIN, App, Session, TOKEN, fault, named};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn from_login_to_logout(pool: PgPool) {
    let app = App::new(pool).await;
    for (user, token) in [(ADMIN, "wrong"), ("nobody", TOKEN)] {
        let refused = app.xml("login", vec![user.into(), token.into()]).await;
        assert_eq!(fault(refused), "1002: invalid username or password");
    }
    let session = app.login().await;
    let info = session.call(0, "getSessionInfo", vec![]).await.unwrap();
    assert_eq!(info.get("authtype"), Some(&Value::Int(0)));
    assert_eq!(info.get("callnum"), Some(&Value::Nil));
    session.call(1, "logout", named(vec![], &[("session_id", Value::Nil)])).await.unwrap();
    let closed = session.call(2, "getSessionInfo", vec![]).await;
    assert_eq!(fault(closed), "1002: Invalid session or bad credentials");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn old_ways_to_show_a_session(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let query = format!("?session-id={}&session-key={}&callnum=3", session.id, session.key);
    app.xml_as(&query, &[], "getSessionInfo", vec![]).await.unwrap();
    let id = session.id.to_string();
    let mut headers = vec![("koji-session-id", id.as_str()), ("koji-session-key", &session.key), ("koji-callnum", "5")];
    app.xml_as("", &headers, "createUser", vec!["a".into()]).await.unwrap();
    let replay = app.xml_as("", &headers, "createUser", vec!["b".into()]).await;
    assert!(fault(replay).starts_with("1009: "));
    headers[1].1 = "1-wrong";
    assert_eq!(fault(app.xml_as("", &headers, "hello", vec![]).await), "1002: Invalid session or bad credentials");
    headers[0].1 = "x";
    assert!(fault(app.xml_as("", &headers, "hello", vec![]).await).starts_with("1002: "));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn call_numbers(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let id = session.id;
    session.call(5, "createUser", vec!["one".into()]).await.unwrap();
    let late = session.call(4, "createUser", vec!["two".into()]).await;
    assert_eq!(fault(late), format!("1008: 5 > 4 (session {id})"));
    let again = session.call(5, "createUser", vec!["two".into()]).await;
    assert_eq!(fault(again), format!("1009: unable to retry call 5 (method createUser) for session {id}"));
    // reads leave no trace
    session.call(9, "getSessionInfo", vec![]).await.unwrap();
    session.call(6, "getSessionInfo", vec![]).await.unwrap();
    // neither does a call that failed
    assert!(session.call(7, "createUser", vec!["not a name".into()]).await.is_err());
    session.call(7, "createUser", vec!["two".into()]).await.unwrap();
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn expiry_and_renewal(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let sub = Session::new(&app, &session.call(0, "subsession", vec![]).await.unwrap());
    sqlx::query("UPDATE sessions SET start_time = start_time - interval '25 hours' WHERE id = $1")
        .bind(session.id)
        .execute(&app.hub.pool)
        .await
        .unwrap();
    let expired = session.call(1, "getSessionInfo", vec![]).await;
    assert_eq!(fault(expired), format!("1007: session \"{}\" has expired", session.id));
    assert!(fault(sub.call(0, "getSessionInfo", vec![]).await).starts_with("1007: "), "it expires with its master");

    let opts = [("opts", Value::Nil), ("renew", true.into()), ("exclusive", false.into())];
    let renewed = session.call(2, "login", named(vec![ADMIN.into(), TOKEN.into()], &opts)).await.unwrap();
    let renewed = Session::new(&app, &renewed);
    assert_eq!(renewed.id, session.id);
    assert_ne!(renewed.key, session.key);
    renewed.call(0, "createUser", vec!["one".into()]).await.unwrap();
    assert_eq!(fault(session.call(3, "hello", vec![]).await), "1002: Invalid session or bad credentials");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn exclusive_sessions(pool: PgPool) {
    let app = App::new(pool).await;
    let (one, two) = (app.login().await, app.login().await);
    one.call(0, "exclusiveSession", vec![]).await.unwrap();
    assert_eq!(fault(two.call(0, "getSessionInfo", vec![]).await), "1006: User locked by another session");
    assert!(fault(two.call(1, "exclusiveSession", vec![]).await).starts_with("1006: Cannot get exclusive session"));
    let below = Session::new(&app, &one.call(1, "subsession", vec![]).await.unwrap());
    below.call(0, "getSessionInfo", vec![]).await.unwrap();
    one.call(2, "sharedSession", vec![]).await.unwrap();
    two.call(2, "getSessionInfo", vec![]).await.unwrap();

    one.call(3, "exclusiveSession", vec![]).await.unwrap();
    two.call(3, "exclusiveSession", named(vec![], &[("force", true.into())])).await.unwrap();
    two.call(4, "getSessionInfo", vec![]).await.unwrap();
    assert_eq!(fault(one.call(4, "getSessionInfo", vec![]).await), "1002: Invalid session or bad credentials");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn subsessions_end_with_their_master(pool: PgPool) {
    let app = App::new(pool).await;
    let master = app.login().await;
    let below = Session::new(&app, &master.call(0, "subsession", vec![]).await.unwrap());
    let other = Session::new(&app, &master.call(1, "subsession", vec![]).await.unwrap());
    master.call(2, "logoutChild", vec![below.id.into()]).await.unwrap();
    assert!(below.call(0, "getSessionInfo", vec![]).await.is_err());
    other.call(0, "getSessionInfo", vec![]).await.unwrap();
    master.call(3, "logout", vec![]).await.unwrap();
    assert_eq!(fault(other.call(1, "getSessionInfo", vec![]).await), "1002: Invalid session or bad credentials");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_is_nobody_may_not_write(pool: PgPool) {
    let app = App::new(pool).await;
    let refused = app.xml("createUser", vec!["one".into()]).await;
    assert_eq!(fault(refused), "1004: admin permission required (user not logged in)");
    let token = app.user("bob").await;
    let bearer = format!("Bearer {token}");
    let refused = app.xml_as("", &[("authorization", &bearer)], "createUser", vec!["one".into()]).await;
    assert_eq!(fault(refused), "1004: admin permission required (logged in as bob)");
}
