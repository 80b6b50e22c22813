/// Takes out of texts and bytes what nobody may read: the redeemed secrets.
pub trait Mask: Send + Sync {
    /// Whether there is nothing to take out: of nearly every run, which redeems no secret.
    fn is_idle(&self) -> bool;
    /// Masks a text in place.
    fn mask_text(&self, text: &mut String);
    /// Masks bytes in place.
    fn mask_bytes(&self, bytes: &mut Vec<u8>);
}

/// What can be masked: every answer of every call, so that the gate does it once for all of them.
pub trait Maskable {
    /// Masks every text and every list of bytes in here.
    fn mask(&mut self, mask: &dyn Mask);

    /// Masks a list of these. Bytes are masked as a whole, everything else one by one.
    fn mask_list(list: &mut Vec<Self>, mask: &dyn Mask)
    where
        Self: Sized,
    {
        list.iter_mut().for_each(|item| item.mask(mask));
    }
}

macro_rules! nothing_to_mask {
    ($($ty:ty),*) => { $(impl Maskable for $ty { fn mask(&mut self, _: &dyn Mask) {} })* };
}

nothing_to_mask!(bool, u16, u32, u64, i32, i64, f64, (), crate::SecretUse);

impl Maskable for u8 {
    fn mask(&mut self, _: &dyn Mask) {}

    fn mask_list(list: &mut Vec<Self>, mask: &dyn Mask) {
        mask.mask_bytes(list);
    }
}

impl Maskable for String {
    fn mask(&mut self, mask: &dyn Mask) {
        mask.mask_text(self);
    }
}

impl<T: Maskable> Maskable for Vec<T> {
    fn mask(&mut self, mask: &dyn Mask) {
        T::mask_list(self, mask);
    }
}

impl<T: Maskable> Maskable for Option<T> {
    fn mask(&mut self, mask: &dyn Mask) {
        if let Some(inner) = self {
            inner.mask(mask);
        }
    }
}

impl<A: Maskable, B: Maskable> Maskable for (A, B) {
    fn mask(&mut self, mask: &dyn Mask) {
        self.0.mask(mask);
        self.1.mask(mask);
    }
}
