/// Roughly how many bytes a value takes where it is copied: what the budgets for calls and answers count. Strings and lists
/// count their content, everything else its size; an exact figure would cost more than the copy.
pub trait Footprint {
    /// Bytes.
    fn footprint(&self) -> usize;
}

macro_rules! fixed {
    ($($ty:ty),*) => { $(impl Footprint for $ty { fn footprint(&self) -> usize { size_of::<$ty>() } })* };
}

fixed!(bool, u8, u16, u32, u64, i32, i64, f64, ());

impl Footprint for String {
    fn footprint(&self) -> usize {
        8 + self.len()
    }
}

impl<T: Footprint> Footprint for Vec<T> {
    fn footprint(&self) -> usize {
        8 + self.iter().map(Footprint::footprint).sum::<usize>()
    }
}

impl<T: Footprint> Footprint for Option<T> {
    fn footprint(&self) -> usize {
        1 + self.as_ref().map_or(0, Footprint::footprint)
    }
}

impl<A: Footprint, B: Footprint> Footprint for (A, B) {
    fn footprint(&self) -> usize {
        self.0.footprint() + self.1.footprint()
    }
}

impl Footprint for crate::SecretUse {
    fn footprint(&self) -> usize {
        8 + self.name.len()
    }
}
