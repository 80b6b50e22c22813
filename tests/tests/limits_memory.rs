//! Hostile guests leave nothing behind: after a second pass of all of them the host is as large as after the first. A test
//! file of its own is a process of its own, in which nobody else's memory is counted.

mod hostile;

use hostile::{LAB, table};

/// What any later pass may leave, in hundredths of what the first did.
const PERCENT_MAX: u64 = 110;

#[test]
fn a_second_pass_of_all_guests_takes_no_more_memory_than_the_first() {
    // What grows a little each time is seen after many.
    let passes = if tests::soak!() { 12 } else { 2 };
    // The C library gives a large block back at once until it has freed one, and from then on keeps what is smaller: so that
    // all passes are alike, it has freed the largest that counts before the first.
    drop(std::hint::black_box(vec![1_u8; 31 << 20]));
    hostile::runtime().block_on(async {
        pass().await;
        let first = resident_pages();
        eprintln!("resident: {first} pages after the first pass");
        for number in 2..=passes {
            pass().await;
            let now = resident_pages();
            eprintln!("resident: {now} pages after pass {number}");
            assert!(
                now * 100 <= first * PERCENT_MAX,
                "{first} pages resident after the first pass, {now} after pass {number}"
            );
        }
    });
}

/// Every guest, where its limit stops it and where it does not.
async fn pass() {
    for row in table::rows() {
        assert!(LAB.stopped(&row).await.ended_as(row.ends), "{}", row.limit);
        assert!(LAB.raised(&row).await.is_whole(), "{}", row.limit);
    }
    for (guest, ends) in table::WRONG {
        assert!(LAB.run_guest(*guest, 0, None).await.ended_as(*ends), "{}", guest.name());
    }
}

fn resident_pages() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse().unwrap()
}
