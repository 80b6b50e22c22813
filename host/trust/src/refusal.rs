use semver::Version;

use crate::{Kind, Name, Time};
use model::{Capability, Digest, Mode};

/// Defines [`Refusal`] with a code for each: what a program reads, and what the table of attacks must name.
macro_rules! refusals {
    ($($(#[$attribute:meta])* $code:literal $name:ident $({ $($field:ident: $type:ty),* $(,)? })?,)*) => {
        /// Why something is not believed. Each has a code for programs and a sentence for people.
        #[derive(Clone, Debug, PartialEq, thiserror::Error)]
        #[allow(missing_docs, reason = "fields are what the sentence above them says")]
        pub enum Refusal {
            $($(#[$attribute])* $name $({ $($field: $type),* })?,)*
        }

        impl Refusal {
            /// Every code there is.
            pub const CODES: &[&str] = &[$($code),*];

            /// What a program reads: it never changes.
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $code,)*
                }
            }
        }
    };
}

refusals! {
    /// Looked at no further.
    #[error("it has {bytes} bytes: a statement of this kind has at most {most}")]
    "too-large" TooLarge { bytes: usize, most: usize },
    /// Syntax.
    #[error("it is no JSON: {problem}")]
    "not-json" NotJson { problem: String },
    /// Nested beyond what any statement needs.
    #[error("it is nested too deeply: at most {} levels are read", crate::json::DEPTH_MAX)]
    "too-deep" TooDeep,
    /// Readers differ in which of two they take.
    #[error("`{key}` stands there twice: nobody can say which one was signed")]
    "duplicate-key" DuplicateKey { key: String },
    /// There is more than one value.
    #[error("something stands after its end: a statement is one JSON object and nothing else")]
    "trailing-data" TrailingData,
    /// Readers differ in how exactly they read others.
    #[error("it has a number that is not whole, or larger than 2^53-1")]
    "not-whole" NotWhole,
    /// The same value in another form.
    #[error("it is not in canonical form (RFC 8785) from byte {at} on: it was written by hand, or changed on the way")]
    "not-canonical" NotCanonical { at: usize },
    /// A statement, but not the one that is needed.
    #[error("it is a statement of the kind `{found}`, and `{wanted}` is needed")]
    "other-kind" OtherKind { wanted: Kind, found: String },
    /// From a newer remit.
    #[error("it has format {found} of `{kind}`, this remit reads up to {known}: update remit")]
    "unsupported-version" UnsupportedVersion { kind: Kind, found: u64, known: u64 },
    /// Something that is not understood might be a limit.
    #[error("`{field}` is no field of `{kind}`: what is not understood is not believed")]
    "unknown-field" UnknownField { kind: Kind, field: String },
    /// A field is missing, or says what it cannot.
    #[error("its content is wrong: {problem}")]
    "wrong-content" WrongContent { problem: String },

    /// Nobody signed.
    #[error("nobody signed it")]
    "no-signature" NoSignature,
    /// Not the form of a signature.
    #[error("a signature is none: {problem}; expected what `ssh-keygen -Y sign` writes")]
    "not-a-signature" NotASignature { problem: String },
    /// More than are looked at.
    #[error("it has {found} signatures: at most {most} are looked at")]
    "too-many-signatures" TooManySignatures { found: usize, most: usize },
    /// Made to be something else.
    #[error("the signature was made for `{found}`, and not for `{wanted}`: it vouches for another kind of thing")]
    "other-namespace" OtherNamespace { wanted: &'static str, found: String },
    /// RSA, DSA, ECDSA.
    #[error("{0}", problem)]
    "key-kind" KeyKind { problem: crate::key::NotAKey },
    /// Not over these bytes by this key.
    #[error("the signature of {key} does not hold: the statement or the signature was changed")]
    "bad-signature" BadSignature { key: String },
    /// A hardware key that nobody touched.
    #[error("the hardware key {key} signed without being touched: nobody was there")]
    "no-touch" NoTouch { key: String },

    /// Nobody knows it.
    #[error("nobody knows the key {key}: it is not in the roster as {role}")]
    "unknown-key" UnknownKey { key: String, role: &'static str },
    /// Known, for something else.
    #[error("the key {key} is {found} in the roster, and not {role}")]
    "other-role" OtherRole { key: String, found: &'static str, role: &'static str },
    /// A publisher signs its own.
    #[error("the key {key} is of the publisher `{found}`, and the plugin says `{wanted}`")]
    "other-publisher" OtherPublisher { key: String, found: Name, wanted: Name },
    /// Signed before the key counted.
    #[error("the key {key} counts from {from} on, and signed for {created}")]
    "key-not-yet-valid" KeyNotYetValid { key: String, from: Time, created: Time },
    /// Signed after the key counted.
    #[error("the key {key} counted until {until}, and signed for {created}")]
    "key-expired" KeyExpired { key: String, until: Time, created: Time },
    /// Put away; what it signed before holds.
    #[error("the key {key} was retired on {since}, and signed for {created}: only what it signed before holds")]
    "key-retired" KeyRetired { key: String, since: Time, created: Time },
    /// Stolen.
    #[error("the key {key} is compromised: nothing that it signed holds ({reason})")]
    "key-compromised" KeyCompromised { key: String, reason: String },
    /// Beyond what the signer may decide.
    #[error("{who} may not decide that: {problem}")]
    "out-of-scope" OutOfScope { who: Name, problem: String },
    /// The root's threshold in keys.
    #[error("{found} of the root's keys signed: {wanted} are needed")]
    "too-few-keys" TooFewKeys { found: usize, wanted: u32 },
    /// The root's threshold in people.
    #[error("{found} of the root's people signed, with {keys} keys: {wanted} people are needed")]
    "too-few-people" TooFewPeople { found: usize, keys: usize, wanted: u32 },
    /// A key that goes says so, and the one that comes is there.
    #[error("both keys sign that one comes in the place of the other: {} is missing", missing.join(" and "))]
    "rotation-half-signed" RotationHalfSigned { missing: Vec<String> },
    /// Another MSP's root, or nobody's.
    #[error("this is not the root that is pinned: {found}, pinned is {pinned}")]
    "not-the-root" NotTheRoot { found: Digest, pinned: Digest },
    /// A root that does not follow the last one.
    #[error("root {found} cannot follow root {kept}: each follows the one before it; get those between")]
    "root-gap" RootGap { kept: u64, found: u64 },
    /// Older than what is known.
    #[error("`{subject}` goes back from {kept} to {found}: somebody withholds the newest, or it is an old copy")]
    "rolled-back" RolledBack { subject: String, kept: u64, found: u64 },
    /// Two that say to be the same.
    #[error("there are two different `{subject}` with the number {serial}: somebody signed twice; the next number ends it")]
    "forked" Forked { subject: String, serial: u64 },
    /// Made in the future.
    #[error("{what} is of {created}, which has not come yet: one of the clocks is wrong")]
    "not-yet-valid" NotYetValid { what: String, created: Time },
    /// Its time is over.
    #[error("{what} expired on {until}: since then only L0 and L1 run, and `{beyond}` is {class}")]
    "expired" Expired { what: String, until: Time, beyond: String, class: contract::Class },
    /// There is nobody to believe.
    #[error("there is no roster: nobody may sign anything yet; `remit roster add FILE`")]
    "no-roster" NoRoster,

    /// Other bytes than those that were signed.
    #[error("the file is {found}, and the statement is about {wanted}: the file was changed, or it is another one")]
    "other-bytes" OtherBytes { found: Digest, wanted: Digest },
    /// A label that is not the one that was signed.
    #[error("its manifest is {found}, and the statement is about {wanted}: the label was changed or taken from another plugin")]
    "other-manifest" OtherManifest { found: Digest, wanted: Digest },
    /// Renamed and the like.
    #[error("the plugin says `{field}` is `{found}`, and its statement says `{wanted}`")]
    "relabelled" Relabelled { field: &'static str, found: String, wanted: String },
    /// For other machines.
    #[error("the release is for {found}, and this machine is {wanted}")]
    "other-target" OtherTarget { found: Name, wanted: String },
    /// As old as what runs, or older.
    #[error("the release {found} is no newer than the agent {runs} that runs: an older one takes two technicians' `--downgrade`")]
    "not-newer" NotNewer { found: Version, runs: Version },
    /// It skips what has to come between.
    #[error("the release takes the place of {from} and later, and {runs} runs: upgrade to that first")]
    "too-far" TooFar { from: Version, runs: Version },
    /// There would be no way back.
    #[error("the release keeps its memory in form {found}, and the agent that runs reads up to {reads}: it could not be taken back")]
    "other-state" OtherState { found: u32, reads: u32 },
    /// For other hosts.
    #[error("it was made for contract {wanted}, this host has {have}: update remit, or take the plugin's release for it")]
    "other-contract" OtherContract { wanted: Version, have: Version },
    /// A downgrade.
    #[error("version {found} is older than {kept}, which ran here: `--downgrade`, and an approval that says `downgrade`, allow it")]
    "older-version" OlderVersion { found: Version, kept: Version },
    /// Ended.
    #[error("{what} was revoked: {reason}")]
    "revoked" Revoked { what: String, reason: String },
    /// No longer taken up.
    #[error("{what} was retired on {since}: {reason}; only approvals of before hold")]
    "retired" Retired { what: String, since: Time, reason: String },

    /// No reviewer said so.
    #[error("no reviewer approved {digest}; `remit approve` writes an approval")]
    "no-approval" NoApproval { digest: Digest },
    /// Approved for others.
    #[error("`{approval}` is for clients {clients}, and this device is {client}")]
    "other-client" OtherClient { approval: Name, clients: String, client: String },
    /// Approved for other devices.
    #[error("`{approval}` is for devices with a tag of {wanted}, and this device has {tags}")]
    "other-tags" OtherTags { approval: Name, wanted: String, tags: String },
    /// Approved to look only, and the like.
    #[error("`{approval}` is not for the mode `{}`", mode.word())]
    "other-mode" OtherMode { approval: Name, mode: Mode },
    /// It asks for more than was granted.
    #[error("it needs `{capability}`, which `{by}` does not grant")]
    "not-granted" NotGranted { capability: Capability, by: String },
    /// The client says no.
    #[error("the policy of `{client}` forbids it: {problem}")]
    "policy-forbids" PolicyForbids { client: Name, problem: String },
    /// Whose device is this?
    #[error("no assignment says whose the device {device} is")]
    "no-assignment" NoAssignment { device: String },

    /// Of another root.
    #[error("it is for those who pinned {found}, and pinned here is {pinned}: it belongs to another MSP")]
    "other-tenant" OtherTenant { found: Digest, pinned: Digest },
    /// An act whose time is over.
    #[error("{what} counted until {until}")]
    "too-late" TooLate { what: String, until: Time },
    /// Before anybody could stop it.
    #[error("it begins on {from}, and may not before {earliest}: what can destroy waits until somebody could have stopped it")]
    "too-soon" TooSoon { from: Time, earliest: Time },
    /// Somebody has to have signed, and did not.
    #[error("the key {key} did not sign it, and nobody can in its place")]
    "not-signed-by" NotSignedBy { key: String },
    /// Technicians, of different people.
    #[error("{found} of those who may decide that signed, with {keys} keys: {wanted} different people are needed")]
    "too-few-technicians" TooFewTechnicians { found: usize, keys: usize, wanted: usize },
    /// For the devices of others.
    #[error("it is for devices of {clients}, and this one is of {client}")]
    "not-for-client" NotForClient { clients: String, client: Name },
    /// It was carried out.
    #[error("this order was here on {since}, and is done: it is not done twice")]
    "replayed" Replayed { since: Time },
    /// Held back, and brought up after a later one.
    #[error("the key {key} has counted to {kept}, and this order is number {found}: it is an old one, and is to be given anew")]
    "counter-used" CounterUsed { key: String, kept: u64, found: u64 },
    /// No room.
    #[error("{most} orders wait here: no more are taken before some are done, or expired")]
    "too-many-orders" TooManyOrders { most: usize },
    /// Not yet.
    #[error("it is due on {due}")]
    "not-yet-due" NotYetDue { due: Time },
    /// Somebody stopped it.
    #[error("it was stopped, by number {serial}: {reason}; two technicians can let it go on")]
    "paused" Paused { serial: u64, reason: String },
    /// A plugin or a mode that nobody ordered.
    #[error("the order says that `{field}` is `{wanted}`, and what is to run says `{found}`")]
    "not-as-ordered" NotAsOrdered { field: &'static str, found: String, wanted: String },
    /// More than was ordered.
    #[error("it uses `{interface}`, which is {class}, and the order ends at {most}")]
    "beyond-order" BeyondOrder { interface: String, class: contract::Class, most: contract::Class },
    /// It would undo a later word.
    #[error("it lets go on what was stopped on {stopped}, and is of {created}: it was about a stop before that one")]
    "resumed-before" ResumedBefore { created: Time, stopped: Time },
    /// Nobody stops so much.
    #[error("whoever signed it stopped {most} things already: one that is for all of these clients' orders stops as much")]
    "too-many-pauses" TooManyPauses { most: usize },
    /// Nobody let devices in with this token.
    #[error("no admission is for the token {token}: nobody lets in whoever has it")]
    "no-admission" NoAdmission { token: String },
    /// As many devices as may have joined.
    #[error("{uses} devices may join with this token, and have")]
    "admission-used-up" AdmissionUsedUp { uses: u32 },
    /// A session with another hub.
    #[error("the session is for the hub of {found}, and this one is of {wanted}")]
    "other-hub" OtherHub { found: Digest, wanted: Digest },
    /// A session that somebody could take.
    #[error("the session is too long: it ends at most {most_seconds} seconds after it was signed")]
    "session-too-long" SessionTooLong { most_seconds: i64 },
    /// One was taken away.
    #[error("result {found} comes after result {kept}: those between are missing")]
    "result-gap" ResultGap { kept: u64, found: u64 },
    /// Two histories.
    #[error("the device {device} tells two different things as its result {sequence}: it was cloned, or put back, or somebody has its key")]
    "result-forked" ResultForked { device: String, sequence: u64 },
}
