use super::{Trust, in_time};
use crate::statement::{Approval, Plugin};
use crate::{Name, Time};

impl Trust {
    /// The approvals of a plugin that hold now, each with who signed it. For whose devices and for which modes they are is not
    /// asked, and neither is whether the plugin's own publisher signed it: that decides [`Trust::decide`].
    pub fn approved_in(&self, plugin: &Plugin, now: Time) -> impl Iterator<Item = (&Approval, &Name)> {
        let now = self.time(now);
        let about = self.approvals.values().filter(|it| it.read.body.plugins.contains(&plugin.digest));
        about.filter_map(move |approval| {
            let (body, digest, created) = (&approval.read.body, approval.read.digest, approval.read.created);
            let reviewer = self.by_reviewer(approval).ok()?;
            in_time("it", approval, now).ok()?;
            self.ended.check_approval(plugin, &body.name, digest, created).ok()?;
            self.ended.check_plugin(plugin).ok()?;
            (body.expires > now).then_some((body, &reviewer.holder))
        })
    }
}
