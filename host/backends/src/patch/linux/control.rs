use contract::patch_control::{Hold, RefreshIndex, Release};
use contract::types::{Change, Effect, Error};
use contract::{Context, Undo, patch_control};
use serde::{Deserialize, Serialize};

use crate::patch::{check_product, check_source, denied, hold_word, locked};
use crate::{Undoer, errors};

use super::{APT_GET, APT_MARK, Apt, lock};

/// What undoing a hold or a release needs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Token {
    product: String,
    was_held: bool,
}

impl Apt {
    pub(super) async fn is_held(&self, product: &str) -> Result<bool, Error> {
        let packages = self.packages().await?;
        match packages.get(product).filter(|package| package.version.is_some()) {
            Some(package) => Ok(package.is_held),
            None => Err(errors::not_found(format!("{product} is not installed"))),
        }
    }

    /// Holds or frees; says whether that changed something.
    async fn set_hold(&self, cx: &Context, product: &str, is_held: bool) -> Result<Change, Error> {
        if self.is_held(product).await? == is_held {
            return Ok(Change::unchanged(hold_word(is_held)));
        }
        self.check_unlocked()?;
        let word = if is_held { "hold" } else { "unhold" };
        self.run(APT_MARK, &[word, product], cx.deadline).await?;
        // apt-mark answers 0 also where it did nothing.
        match self.is_held(product).await? == is_held {
            true => Ok(Change::new(Effect::Changed, hold_word(!is_held), hold_word(is_held))),
            false => Err(errors::failed("apt-mark", format!("`apt-mark {word}` left {product} as it was"))),
        }
    }

    async fn set_hold_undoably(
        &self,
        cx: &Context,
        source: &str,
        product: &str,
        is_held: bool,
    ) -> Result<Change, Error> {
        check_source(source)?;
        check_product(product)?;
        let change = self.set_hold(cx, product, is_held).await?;
        if change.effect == Effect::Changed {
            let token = Token { product: product.to_owned(), was_held: !is_held };
            let token = serde_json::to_value(token).unwrap_or_default();
            cx.can_undo(Undo { target: format!("{source}:{product}"), token });
        }
        Ok(change)
    }
}

#[async_trait::async_trait]
impl patch_control::Backend for Apt {
    async fn refresh_index(&self, cx: &Context, call: &RefreshIndex) -> Result<Change, Error> {
        check_source(&call.source)?;
        self.check_unlocked()?;
        if let Some(holder) = lock::index_holder(&self.root) {
            return Err(locked(&holder));
        }
        let before_ms = self.refreshed_ms()?;
        self.run(APT_GET, &["-q", "--error-on=any", "update"], cx.deadline).await?;
        let after_ms = self.clock.now_ms();
        self.remember("refreshed", &after_ms)?;
        self.read_news(cx).await?;
        let word = |at_ms: u64| at_ms.to_string();
        Ok(Change::new(Effect::Changed, before_ms.map(word), Some(word(after_ms))))
    }

    async fn hold(&self, cx: &Context, call: &Hold) -> Result<Change, Error> {
        self.set_hold_undoably(cx, &call.source, &call.product, true).await
    }

    async fn release(&self, cx: &Context, call: &Release) -> Result<Change, Error> {
        if !self.policy.may_release(&call.product) {
            return Err(denied("policy", "policy keeps this product held"));
        }
        self.set_hold_undoably(cx, &call.source, &call.product, false).await
    }
}

#[async_trait::async_trait]
impl Undoer for Apt {
    async fn undo(&self, cx: &Context, undo: &Undo) -> Result<Change, Error> {
        let token: Token = serde_json::from_value(undo.token.clone())
            .map_err(|error| errors::failed("undo-token", error.to_string()))?;
        check_product(&token.product)?;
        if self.is_held(&token.product).await? == token.was_held {
            let message = format!("somebody has changed the hold of {} since", token.product);
            return Err(errors::conflict("hold", message));
        }
        self.set_hold(cx, &token.product, token.was_held).await
    }
}
