//! Who acts: `user_id` of the data, or else the caller.

use toji_protocol::id::{Ref, UserId};

use super::Facts;
use crate::{Result, call::Caller, policy::sql, user};

/// Who acts.
#[derive(Clone)]
pub(in crate::policy) struct Person {
    pub(in crate::policy) id: UserId,
    pub(in crate::policy) name: String,
}

impl Facts<'_> {
    /// Who acts; None when nobody is logged in and the data name nobody, or somebody who is not there.
    pub(in crate::policy) async fn user(&mut self) -> Result<Option<Person>> {
        if self.user.is_none() {
            let named: Option<Ref<UserId>> = self.typed::<Option<_>>("user_id").await?.flatten();
            let caller = match &self.cx.caller {
                Caller::User(user) => Some(Person { id: user.id, name: user.name.clone() }),
                Caller::Nobody => None,
            };
            let is = |caller: &Person, named: &Ref<UserId>| {
                named.id() == Some(caller.id) || named.name() == Some(caller.name.as_str())
            };
            let person = match (caller, named) {
                (caller, None) => caller,
                (Some(caller), Some(named)) if is(&caller, &named) => Some(caller),
                (_, Some(named)) => {
                    let found = user::find(self.cx.db().await?, &named).await?;
                    found.map(|user| Person { id: user.id, name: user.name })
                }
            };
            self.user = Some(person);
        }
        Ok(self.user.clone().flatten())
    }

    /// Their permissions, those through groups included. `admin` is one of them, and stands for no other here.
    pub(in crate::policy) async fn permissions(&mut self) -> Result<Vec<String>> {
        if let Some(permissions) = &self.permissions {
            return Ok(permissions.clone());
        }
        let permissions = match (self.user().await?, &self.cx.caller) {
            (None, _) => Vec::new(),
            (Some(person), Caller::User(caller)) if caller.id == person.id => caller.perms.clone(),
            (Some(person), _) => user::permissions(self.cx.db().await?, person.id).await?,
        };
        self.permissions = Some(permissions.clone());
        Ok(permissions)
    }

    /// The groups that they are in.
    pub(super) async fn groups(&mut self) -> Result<Vec<(UserId, String)>> {
        if let Some(groups) = &self.groups {
            return Ok(groups.clone());
        }
        let groups = match self.user().await? {
            Some(person) => sql::groups(self.cx.db().await?, person.id).await?,
            None => Vec::new(),
        };
        self.groups = Some(groups.clone());
        Ok(groups)
    }
}
