#![no_main]

#[path = "../change.rs"]
mod change;
#[path = "../targets.rs"]
#[allow(dead_code, reason = "the others are targets of their own")]
mod targets;

use tests::fuzz::Dice;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::archive(bytes));

// Every other change keeps the digests: libFuzzer by itself never comes further than to the first that does not hold.
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    let mut input = data[..size].to_vec();
    change::change_archive(&mut input, &data[..size], &mut Dice(u64::from(seed)));
    match seed % 2 == 0 && !input.is_empty() && input.len() <= most {
        true => {
            data[..input.len()].copy_from_slice(&input);
            input.len()
        }
        false => libfuzzer_sys::fuzzer_mutate(data, size, most),
    }
});
