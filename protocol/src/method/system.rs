//! The server itself: greetings, versions, what there is to call, and many calls in one.

use super::{Named, method};
use crate::value::Value;

/// How a method looks to `koji list-api`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ListedMethod {
    /// Its name.
    pub name: String,
    /// What it does.
    pub doc: Option<String>,
    /// Its parameters as Python would write them.
    pub argdesc: String,
    /// A name for each parameter, or a pair of name and default.
    pub args: Vec<Value>,
    /// Python's full argument specification: args, varargs, varkw, defaults, and what toji has no use for.
    pub argspec: Named,
}

method! {
    /// Answers `Hello World`.
    Hello = "hello", Anonymous, Read => String {
        /// Ignored.
        args "args": Vec<Value> = rest,
    }

    /// Answers its arguments.
    Echo = "echo", Anonymous, Read => Vec<Value> {
        /// What to answer.
        args "args": Vec<Value> = rest,
    }

    /// Fails with an error of the hub's own, for who wants to see what one looks like.
    RaiseFault = "fault", Anonymous, Read => () {}

    /// Fails with an ordinary fault, for who wants to see what one looks like.
    RaiseError = "error", Anonymous, Read => () {}

    /// The version of Koji's API that is spoken: 1.
    GetApiVersion = "getAPIVersion", Anonymous, Read => i64 {}

    /// The version of Koji whose behaviour is kept.
    GetKojiVersion = "getKojiVersion", Anonymous, Read => String {}

    /// Whether Maven builds are possible: they are not.
    MavenEnabled = "mavenEnabled", Anonymous, Read => bool {}

    /// Whether Windows builds are possible: they are not.
    WinEnabled = "winEnabled", Anonymous, Read => bool {}

    /// The hub's settings.
    ShowOpts = "showOpts", Permission("admin"), Read => Value {
        /// As a text; otherwise a struct.
        as_string "as_string": bool = yes,
    }

    /// Calls another method, one that only reads, and counts what it answers: items, members, 0 for nil, 1 for all else.
    Count = "count", Anonymous, Read => i64 {
        /// The method.
        method_name "methodName": String = required,
        /// Its arguments by position.
        args "args": Vec<Value> = rest,
        /// Its arguments by name.
        kw "kw": Named = named,
    }

    /// Calls another method, one that only reads and lists, and answers a part of the list.
    FilterResults = "filterResults", Anonymous, Read => Option<Vec<Value>> {
        /// The method.
        method_name "methodName": String = required,
        /// Its arguments by position.
        args "args": Vec<Value> = rest,
        /// Its arguments by name, and `filterOpts`: `order` (a member, `-` in front sorts downwards), `noneGreatest`, `offset`, `limit`.
        kw "kw": Named = named,
    }

    /// The same as `filterResults`, with the length of the whole list before it.
    CountAndFilterResults = "countAndFilterResults", Anonymous, Read => (i64, Option<Vec<Value>>) {
        /// The method.
        method_name "methodName": String = required,
        /// Its arguments by position.
        args "args": Vec<Value> = rest,
        /// Its arguments by name, and `filterOpts`.
        kw "kw": Named = named,
    }

    /// Every method with its arguments.
    ListApi = "_listapi", Anonymous, Read => Vec<ListedMethod> {}

    /// The names of all methods.
    ListMethods = "system.listMethods", Anonymous, Read => Vec<String> {}

    /// A method's arguments and what it does.
    MethodHelp = "system.methodHelp", Anonymous, Read => Option<String> {
        /// Its name.
        method "method": String = required,
    }

    /// XML-RPC's signature query; types are not told, as in Koji.
    MethodSignature = "system.methodSignature", Anonymous, Read => String {
        /// Its name.
        method "method": String = required,
    }

    /// The newest event, or the newest before a time.
    GetLastEvent = "getLastEvent", Anonymous, Read => Option<Event> {
        /// An event id, or seconds since the epoch; the answer is older.
        before "before": Option<f64> = nil,
        /// A fault when there is none.
        strict "strict": bool = yes,
    }

    /// An event.
    GetEvent = "getEvent", Anonymous, Read => Option<Event> {
        /// Its id.
        id "id": crate::id::EventId = required,
        /// A fault when there is none.
        strict "strict": bool = yes,
    }
}

/// An event: its id and when it was.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Event {
    /// Its id.
    pub id: crate::id::EventId,
    /// Seconds since the epoch.
    pub ts: f64,
}
