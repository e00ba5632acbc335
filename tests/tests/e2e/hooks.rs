//! What a deployment adds, with the stock client: a method of its own, a hook that refuses, and a webhook, by nothing but a file.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};
use serde_json::{Value, json};
use toji_tests::{SOON, System, Wishes, koji, until};

type Heard = Arc<Mutex<Vec<Value>>>;

async fn ask(body: String) -> String {
    let asked: Value = serde_json::from_str(&body).unwrap();
    let tag = asked["body"]["tag"]["name"].as_str().unwrap();
    json!({"allow": tag != "frozen", "reason": format!("{tag} is frozen")}).to_string()
}

async fn tell(State(heard): State<Heard>, body: String) {
    heard.lock().unwrap().push(serde_json::from_str(&body).unwrap());
}

async fn call(body: String) -> String {
    let call: Value = serde_json::from_str(&body).unwrap();
    match call["kwargs"]["name"].as_str() {
        Some("nobody") => json!({"fault": {"code": 1000, "message": "nobody is greeted"}}).to_string(),
        name => json!({"result": {"greeting": format!("hello {}", name.unwrap()), "by": call["caller"]["name"]}})
            .to_string(),
    }
}

#[tokio::test]
async fn the_stock_client_meets_what_was_added() {
    if koji().is_none() {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    }
    let heard = Heard::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/ask", post(ask)).route("/tell", post(tell)).route("/call", post(call));
    let router = router.with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let hooks = format!(
        r#"
        [[hook]]
        name = "freeze"
        callbacks = ["preTag"]
        url = "{url}/ask"
        [[webhook]]
        name = "ci"
        url = "{url}/tell"
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        [[method]]
        name = "acme.greet"
        access = "logged in"
        parameters = ["name", "loud=false"]
        url = "{url}/call"
        "#
    );
    let system = System::start(Wishes { builders: 0, hooks: Some(hooks), ..Wishes::default() }).await;
    let folder = system.folder("koji");
    let run = async |arguments: &[&str]| system.koji(&folder, arguments).await.unwrap();

    run(&["list-api"]).await.well().has(&["acme.greet(name, loud=False)"]);
    run(&["call", "acme.greet", "world"]).await.well().has(&["hello world", "'by': 'admin'"]);
    run(&["call", "acme.greet", "--kwargs", "{\"name\": \"brewer\"}"]).await.well().has(&["hello brewer"]);
    let refused = run(&["call", "acme.greet", "nobody"]).await;
    assert_ne!(refused.code, Some(0));
    assert!(refused.err.contains("GenericError: nobody is greeted"), "{}", refused.all());
    assert_eq!(system.hub.call("acme.greet", json!({"name": "json"})).await["greeting"], "hello json");

    for tag in ["frozen", "thawed"] {
        system.hub.call("createTag", json!({"name": tag})).await;
        system.hub.call("packageListAdd", json!([tag, "good", "admin"])).await;
    }
    system.hub.call("createEmptyBuild", json!(["good", "1", "1", null])).await;
    run(&["tag-build", "--wait", "thawed", "good-1-1"]).await.well().has(&["completed successfully"]);
    let refused = run(&["tag-build", "--wait", "frozen", "good-1-1"]).await;
    assert_ne!(refused.code, Some(0));
    assert!(refused.all().contains("preTag: the hook freeze refuses: frozen is frozen"), "{}", refused.all());
    assert_eq!(system.hub.tagged("frozen").await, [""; 0]);

    // the webhook is told by itself, in order
    let told = until("the messages", SOON, async || {
        let heard = heard.lock().unwrap().clone();
        let addresses = heard.iter().map(|told| told["address"].as_str().unwrap().to_owned());
        let of_tasks: Vec<String> = addresses.filter(|address| !address.starts_with("package")).collect();
        (of_tasks.len() == 7).then_some(of_tasks)
    })
    .await;
    let count = |address: &str| told.iter().filter(|told| *told == address).count();
    assert_eq!((count("build.complete"), count("build.tag")), (1, 1), "{told:?}");
    assert_eq!((count("task.free"), count("task.open")), (2, 1), "what the hook refused was never open: {told:?}");
    assert_eq!((count("task.closed"), count("task.failed")), (1, 1), "{told:?}");
}
