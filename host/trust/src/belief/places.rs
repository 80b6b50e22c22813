//! Whose a device is: by an assignment, or by the token that it joined with.

use super::authority::{Act, for_client, signed_by};
use super::{Document, Taken, Trust, in_time, keep, open};
use crate::statement::{Admission, Assignment, Enrolment, Standing, file_name_of};
use crate::{Key, Name, Refusal, Signed, Time};

/// Whose a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its client.
    pub client: Name,
    /// The place.
    pub site: Name,
    /// What it is counted among.
    pub tags: Vec<Name>,
    /// Until when that is known.
    pub until: Time,
}

impl Trust {
    /// Whose the device with this key is, where a technician who may say so did. An assignment wins over the token that the
    /// device joined with, also one that no longer counts: else a device that moved on would be back with its first client.
    pub fn place(&self, device: &Key, now: Time) -> Result<Place, Vec<Refusal>> {
        let now = self.time(now);
        self.ended.check_compromised(device).map_err(|refusal| vec![refusal])?;
        let Some(found) = self.assignments.get(&file_name_of(device)) else {
            let missing = || vec![Refusal::NoAssignment { device: device.fingerprint() }];
            let enrolment = self.enrolments.get(&file_name_of(device)).ok_or_else(missing)?;
            return self.admitted(enrolment, now);
        };
        let body = &found.read.body;
        self.by_technician(found, &body.client, found.read.created)?;
        in_time("the assignment", found, now).map_err(|refusal| vec![refusal])?;
        self.ended.check_statement("the assignment", found.read.digest).map_err(|refusal| vec![refusal])?;
        Ok(Place { client: body.client.clone(), site: body.site.clone(), tags: body.tags.clone(), until: body.expires })
    }

    /// Lets a device in that joins now, or says all that speaks against it. `others` is how many other devices joined with that
    /// token, as far as whoever asks knows: the hub knows, and a device knows of itself alone.
    pub fn admit(&self, enrolment: &Signed, others: usize, now: Time) -> Result<Place, Vec<Refusal>> {
        let now = self.time(now);
        self.look_at_joining(&open(enrolment, Some(now))?, others, now)
    }

    pub(super) fn put_enrolment(&mut self, signed: &Signed, now: Option<Time>) -> Result<Taken, Vec<Refusal>> {
        let new = open::<Enrolment>(signed, now)?;
        let body = &new.read.body;
        let subject = file_name_of(&body.device);
        let mut taken = Taken { kind: crate::Kind::Enrolment, subject: subject.clone(), is_new: true };
        let token = file_name_of(&body.token);
        let kept = self.enrolments.get(&subject);
        let before = kept.map(|kept| file_name_of(&kept.read.body.token));
        if let Some(kept) = kept {
            let (before, after) = (kept.read.created.seconds(), new.read.created.seconds());
            taken.is_new = kept.read.digest != new.read.digest;
            match () {
                () if !taken.is_new => return Ok(taken),
                () if after < before => return Err(vec![Refusal::RolledBack { subject, kept: before, found: after }]),
                () if after == before => return Err(vec![Refusal::Forked { subject, serial: after }]),
                () => {}
            }
        }
        if let Some(now) = now {
            let joined = self.joined.get(&token).copied().unwrap_or_default();
            let others = if before.as_ref() == Some(&token) { joined.saturating_sub(1) } else { joined };
            self.look_at_joining(&new, others, now)?;
        }
        if let Some(count) = before.and_then(|before| self.joined.get_mut(&before)) {
            *count = count.saturating_sub(1);
        }
        *self.joined.entry(token).or_default() += 1;
        self.enrolments.insert(subject, new);
        Ok(taken)
    }

    fn look_at_joining(
        &self,
        enrolment: &Document<Enrolment>,
        others: usize,
        now: Time,
    ) -> Result<Place, Vec<Refusal>> {
        let place = self.admitted(enrolment, now);
        let mut refusals = place.as_ref().err().cloned().unwrap_or_default();
        refusals.extend(self.ended.check_compromised(&enrolment.read.body.device).err());
        if let Some(admission) = self.admission_of(enrolment) {
            let Admission { joins_until, client, uses, .. } = &admission.read.body;
            if now >= *joins_until && enrolment.read.created < *joins_until {
                refusals.push(Refusal::TooLate { what: "the token".to_owned(), until: *joins_until });
            }
            if others >= *uses as usize {
                refusals.push(Refusal::AdmissionUsedUp { uses: *uses });
            }
            // Whoever may let nobody in any more, lets nobody in: whatever date they put on it.
            if place.is_ok() {
                refusals.extend(self.by_technician(admission, client, now).err().into_iter().flatten());
            }
        }
        place.ok().filter(|_| refusals.is_empty()).ok_or(refusals)
    }

    /// Where a device is that joined with a token: where the token's admission says.
    fn admitted(&self, enrolment: &Document<Enrolment>, now: Time) -> Result<Place, Vec<Refusal>> {
        let Enrolment { tenant, token, device } = &enrolment.read.body;
        let mut refusals = Vec::new();
        if *tenant != self.pin {
            refusals.push(Refusal::OtherTenant { found: *tenant, pinned: self.pin });
        }
        refusals.extend(signed_by(enrolment, &[token, device]).err().into_iter().flatten());
        refusals.extend(self.ended.check_key(token, enrolment.read.created).err());
        let Some(admission) = self.admission_of(enrolment) else {
            refusals.push(Refusal::NoAdmission { token: token.fingerprint() });
            return Err(refusals);
        };
        let body = &admission.read.body;
        refusals
            .extend(self.by_technician(admission, &body.client, admission.read.created).err().into_iter().flatten());
        refusals.extend(in_time("the admission", admission, now).err());
        refusals.extend(self.ended.check_statement("the admission", admission.read.digest).err());
        if enrolment.read.created >= body.joins_until {
            refusals.push(Refusal::TooLate { what: "the token".to_owned(), until: body.joins_until });
        }
        match refusals.is_empty() {
            true => Ok(Place {
                client: body.client.clone(),
                site: body.site.clone(),
                tags: body.tags.clone(),
                until: body.expires,
            }),
            false => Err(refusals),
        }
    }

    fn admission_of(&self, enrolment: &Document<Enrolment>) -> Option<&Document<Admission>> {
        self.admissions.get(&file_name_of(&enrolment.read.body.token))
    }

    pub(super) fn put_assignment(&mut self, signed: &Signed, now: Option<Time>) -> Result<Taken, Vec<Refusal>> {
        let new = open::<Assignment>(signed, now)?;
        let by = |it: &Document<Assignment>| self.by_technician(it, &it.read.body.client, it.read.created);
        if now.is_some() {
            by(&new)?;
        }
        let counts = self.assignments.get(&new.read.body.subject()).is_some_and(|kept| by(kept).is_ok());
        keep(&mut self.assignments, new, counts)
    }

    pub(super) fn put_admission(&mut self, signed: &Signed, now: Option<Time>) -> Result<Taken, Vec<Refusal>> {
        let new = open::<Admission>(signed, now)?;
        let by = |it: &Document<Admission>| self.by_technician(it, &it.read.body.client, it.read.created);
        if now.is_some() {
            by(&new)?;
        }
        let counts = self.admissions.get(&new.read.body.subject()).is_some_and(|kept| by(kept).is_ok());
        keep(&mut self.admissions, new, counts)
    }

    /// A technician of that client, then and now.
    pub(super) fn by_technician<T: crate::Statement>(
        &self,
        document: &Document<T>,
        client: &Name,
        now: Time,
    ) -> Result<(), Vec<Refusal>> {
        let act = Act { by: None, people: 1, now };
        self.by_technicians(document, &act, |seat| for_client(seat, client).err().into_iter().collect()).map(drop)
    }
}
