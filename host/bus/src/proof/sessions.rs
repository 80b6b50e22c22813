//! Who has a session. They are in memory alone: after a restart everybody begins anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trust::Key;

use super::window::Window;
use super::{Asked, Proof};

/// The most sessions: two for each of the most devices that one hub is made for, at some 400 bytes each.
pub const SESSIONS_MAX: usize = 50_000;

/// Those of one owner: an old one or two that nobody ended. With one more, the oldest ends.
pub const OF_ONE_MAX: usize = 4;

/// Not proved. Why is not said: whoever has a session and its key knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is not proved by a session")]
pub struct Denied;

/// All sessions, each with what its owner may.
pub struct Sessions<T>(Mutex<All<T>>);

struct All<T> {
    by_id: HashMap<String, Arc<Session<T>>>,
    /// By a digest of who has them, oldest first.
    by_owner: HashMap<[u8; 32], VecDeque<String>>,
}

/// A session.
pub struct Session<T> {
    /// What it stands for.
    pub who: T,
    /// When it ends, by the clock.
    pub until_ms: u64,
    id: String,
    owner: [u8; 32],
    key: Key,
    window: Mutex<Window>,
}

impl<T> Default for Sessions<T> {
    fn default() -> Self {
        Self(Mutex::new(All { by_id: HashMap::new(), by_owner: HashMap::new() }))
    }
}

impl<T> Sessions<T> {
    /// Begins one for an owner, and gives its id; none where there are too many.
    pub fn begin(&self, owner: [u8; 32], who: T, key: Key, until_ms: u64, now_ms: u64) -> Option<String> {
        let mut all = self.all();
        if all.by_owner.get(&owner).is_some_and(|ids| ids.len() >= OF_ONE_MAX)
            && let Some(oldest) = all.by_owner.get(&owner).and_then(VecDeque::front).cloned()
        {
            all.remove(&oldest);
        }
        if all.by_id.len() >= SESSIONS_MAX {
            all.end_those_over(now_ms);
        }
        if all.by_id.len() >= SESSIONS_MAX {
            return None;
        }
        let id = hex::encode(rand::random::<[u8; 16]>());
        let session = Session { who, until_ms, id: id.clone(), owner, key, window: Mutex::default() };
        all.by_id.insert(id.clone(), Arc::new(session));
        all.by_owner.entry(owner).or_default().push_back(id.clone());
        Some(id)
    }

    /// The session that a proof says to be of, where it is not over and this number was not used: what is cheap to see.
    pub fn find(&self, proof: &Proof, now_ms: u64) -> Result<Arc<Session<T>>, Denied> {
        let session = self.all().by_id.get(proof.session()).cloned().ok_or(Denied)?;
        let is_open = now_ms < session.until_ms && session.window().is_open(proof.count);
        is_open.then_some(session).ok_or(Denied)
    }

    /// Whether it was not ended.
    pub(crate) fn has(&self, session: &Session<T>) -> bool {
        self.all().by_id.contains_key(&session.id)
    }

    /// Ends those of an owner, and gives them: whoever was retired, or may less from now on.
    pub fn end(&self, owner: &[u8; 32]) -> Vec<Arc<Session<T>>> {
        let mut all = self.all();
        let ids = all.by_owner.get(owner).cloned().unwrap_or_default();
        ids.iter().filter_map(|id| all.remove(id)).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all().by_id.len()
    }

    fn all(&self) -> MutexGuard<'_, All<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> All<T> {
    fn remove(&mut self, id: &str) -> Option<Arc<Session<T>>> {
        let session = self.by_id.remove(id)?;
        if let Some(ids) = self.by_owner.get_mut(&session.owner) {
            ids.retain(|it| it != id);
            if ids.is_empty() {
                self.by_owner.remove(&session.owner);
            }
        }
        Some(session)
    }

    fn end_those_over(&mut self, now_ms: u64) {
        let is_over = |(_, session): &(&String, &Arc<Session<T>>)| session.until_ms <= now_ms;
        let over: Vec<String> = self.by_id.iter().filter(is_over).map(|(id, _)| id.clone()).collect();
        over.iter().for_each(|id| drop(self.remove(id)));
    }
}

impl<T> Session<T> {
    /// What it is called.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this was asked, and not before. The signature comes first: what is forged takes no number from what is true.
    pub fn prove(&self, proof: &Proof, asked: &Asked<'_>) -> Result<(), Denied> {
        let message = asked.message(proof.session(), proof.count);
        let is_proved = self.key.proves(message.as_bytes(), &proof.signature) && self.window().take(proof.count);
        is_proved.then_some(()).ok_or(Denied)
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use trust::SessionKey;

    use super::*;

    fn key() -> Key {
        SessionKey::from_seed(&[1; 32]).key()
    }

    #[test]
    fn nobody_has_more_than_some_and_the_oldest_ends() {
        let sessions = Sessions::default();
        let ids: Vec<String> = (0..5).map(|at| sessions.begin([1; 32], at, key(), 10, 0).unwrap()).collect();
        assert_eq!(sessions.count(), OF_ONE_MAX);
        assert!(!sessions.all().by_id.contains_key(&ids[0]) && sessions.all().by_id.contains_key(&ids[4]));
        sessions.begin([2; 32], 9, key(), 10, 0).unwrap();
        assert_eq!(sessions.end(&[1; 32]).len(), OF_ONE_MAX);
        assert_eq!((sessions.count(), sessions.all().by_owner.len()), (1, 1));
    }

    #[test]
    fn there_are_so_many_and_room_is_made_of_those_that_are_over() {
        let sessions = Sessions::default();
        let owner = |at: usize| {
            let mut owner = [0; 32];
            owner[..8].copy_from_slice(&at.to_le_bytes());
            owner
        };
        (0..SESSIONS_MAX).for_each(|at| drop(sessions.begin(owner(at), (), key(), 10, 0).unwrap()));
        assert_eq!(sessions.begin(owner(SESSIONS_MAX), (), key(), 20, 9), None);
        assert!(sessions.begin(owner(SESSIONS_MAX), (), key(), 20, 10).is_some());
        assert_eq!(sessions.count(), 1);
    }
}
