use std::collections::BTreeSet;

use super::*;
use crate::tests::{Dice, device};

fn devices(count: u32) -> Vec<Device> {
    (0..count).map(device).collect()
}

#[test]
fn what_is_no_rings_says_all_that_is_wrong() {
    for good in ["1,5%,25%,100%", "100%", " 1 , 10 , 0.5% , 100.000000% ", "2,100%"] {
        assert!(good.parse::<Rings>().is_ok(), "{good}");
    }
    for (bad, expected) in [
        ("", &["``: expected a number of devices"][..]),
        ("1,5%", &["the last ring is expected to be `100%`"]),
        ("1,five,-3%,100%", &["`five`", "`-3%`"]),
        ("0,0%,101%", &["`0`", "`0%`", "`101%`"]),
        ("5%,5%,100%", &["`5%` comes after `5%`: each ring goes further"]),
        ("10,2,100%", &["`2` comes after `10`"]),
        ("5%,10,100%", &["`10` comes after `5%`: numbers of devices come before shares"]),
        ("1,1.2345678%,100%", &["with at most 6 digits"]),
        ("+1,100%", &["`+1`"]),
        ("99999999999,100%", &["`99999999999`"]),
        ("1,,100%", &["``"]),
    ] {
        let BadRings(problems) = bad.parse::<Rings>().unwrap_err();
        assert_eq!(problems.len(), expected.len(), "{bad}: {problems:?}");
        assert!(problems.iter().zip(expected).all(|(problem, part)| problem.contains(part)), "{bad}: {problems:?}");
    }
    let many = |count: usize| vec!["100%"; count].join(",").parse::<Rings>().unwrap_err().0;
    assert!(many(17)[0].contains("17 rings") && many(16)[0].contains("comes after"));
}

#[test]
fn each_device_is_in_one_ring_by_the_hash_of_the_order() {
    let sizes = |text: &str, count: u32| {
        let drawn = Drawn::new(&text.parse().unwrap(), "order_a", &devices(count));
        drawn.rings.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(sizes("1,5%,25%,100%", 1000), [1, 49, 200, 750]);
    assert_eq!(sizes("1,5%,25%,100%", 10), [1, 2, 7]);
    assert_eq!(sizes("1,5%,25%,100%", 1), [1]);
    assert_eq!(sizes("3,100%", 2), [2]);
    assert_eq!(sizes("0.1%,100%", 10_001), [11, 9990]);
    assert_eq!(sizes("100%", 0), [0; 0]);
    let rings: Rings = "1,10%,100%".parse().unwrap();
    let all = devices(500);
    let drawn = Drawn::new(&rings, "order_a", &all);
    let mut mixed: Vec<Device> = all.iter().rev().chain(&all).copied().collect();
    mixed.swap(3, 400);
    assert_eq!(drawn, Drawn::new(&rings, "order_a", &mixed), "neither order nor repeats matter");
    assert_ne!(drawn, Drawn::new(&rings, "order_b", &all), "another order, another first device");
    let found: BTreeSet<Device> = drawn.rings.iter().flatten().copied().collect();
    assert_eq!(found, all.into_iter().collect());
    // Over many orders everybody is first about as often.
    let mut first = [0_u32; 8];
    for order in 0..800 {
        let drawn = Drawn::new(&rings, &format!("order_{order}"), &devices(8));
        let at = devices(8).iter().position(|it| *it == drawn.rings[0][0]).unwrap();
        first[at] += 1;
    }
    assert!(first.iter().all(|times| (60..140).contains(times)), "{first:?}");
}

#[test]
fn a_tree_is_that_of_the_rfc() {
    // The tree as RFC 6962 defines it: split at the largest power of two below the number of leaves.
    fn by_definition(devices: &[Device]) -> [u8; 32] {
        let hash = |parts: &[&[u8]]| -> [u8; 32] { Sha256::digest(parts.concat()).into() };
        match devices {
            [] => hash(&[]),
            [one] => hash(&[&[0], one.bytes()]),
            _ => {
                let (left, right) = devices.split_at(1 << (devices.len() - 1).ilog2());
                hash(&[&[1], &by_definition(left), &by_definition(right)])
            }
        }
    }
    for count in (0..70).chain([127, 128, 129, 1000]) {
        let devices = devices(count);
        let tree = Tree::new(&devices);
        assert_eq!(tree.root(), Digest::from(by_definition(&devices)), "{count}");
        assert_eq!(tree.devices(), count);
    }
}

#[test]
fn a_proof_holds_for_its_device_and_nothing_else() {
    let mut dice = Dice(3);
    for count in (1..40).chain([64, 65, 1000]) {
        let all = devices(count);
        let tree = Tree::new(&all);
        let (root, others) = (tree.root(), Tree::new(&devices(count + 1)).root());
        for at in 0..count {
            let mine = &all[at as usize];
            let proof = tree.prove(at).unwrap();
            assert!(proof.holds(mine, count, root), "{at} of {count}");
            assert!(!proof.holds(&device(count + 7), count, root), "a device that is not in it");
            assert!(!proof.holds(mine, count, others), "another ring");
            assert!(!proof.holds(mine, at, root), "a ring that ends before it");
            let other = u32::try_from(dice.below(count as usize)).unwrap();
            assert_eq!(tree.prove(other).unwrap().holds(mine, count, root), other == at, "somebody else's proof");
            let elsewhere = Proof { leaf: other, ..proof.clone() };
            assert_eq!(elsewhere.holds(mine, count, root), other == at, "another leaf");
            if !proof.path.is_empty() {
                let mut changed = proof.clone();
                let at = dice.below(changed.path.len());
                changed.path[at] = Digest::of(b"another");
                assert!(!changed.holds(mine, count, root), "another path");
                let mut cut = proof.clone();
                cut.path.pop();
                assert!(!cut.holds(mine, count, root), "a path that ends early");
            }
            let mut long = proof.clone();
            long.path.push(root);
            assert!(!long.holds(mine, count, root), "a path that goes on");
        }
        assert_eq!(tree.prove(count), None);
    }
}

#[test]
fn no_node_passes_for_a_device_and_no_proof_is_long() {
    let all = devices(4);
    let tree = Tree::new(&all);
    // The fingerprint of a made-up device cannot be chosen so that its leaf is a node: they begin differently.
    let left = Tree::new(&all[..2]).root();
    let passed_off = Proof { leaf: 0, path: vec![Tree::new(&all[2..]).root()] };
    assert!(!passed_off.holds(&Device::from(*left.as_bytes()), 2, tree.root()));
    let long = Proof { leaf: 0, path: vec![left; 21] };
    assert!(!long.holds(&all[0], RING_DEVICES_MAX, left));
    let text = serde_json::to_string(&tree.prove(1).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Proof>(&text).unwrap(), tree.prove(1).unwrap());
}

#[test]
fn a_sample_is_drawn_once_and_by_nobody() {
    let order = Digest::of(b"order");
    for (devices, most) in [(0, 64), (1, 64), (63, 64), (64, 64), (65, 64), (1000, 64), (RING_DEVICES_MAX, 64)] {
        let drawn = sample(order, 1, devices, most);
        let leaves: BTreeSet<u32> = drawn.iter().copied().collect();
        assert_eq!((drawn.len(), leaves.len()), (devices.min(most) as usize, devices.min(most) as usize));
        assert!(drawn.iter().all(|leaf| *leaf < devices));
        assert_eq!(drawn, sample(order, 1, devices, most));
    }
    assert_ne!(sample(order, 1, 1000, 64), sample(order, 2, 1000, 64), "another ring");
    assert_ne!(sample(order, 1, 1000, 64), sample(Digest::of(b"other"), 1, 1000, 64), "another order");
    // Over many orders each leaf is drawn about as often: 64 of 100.
    let mut times = [0_u32; 100];
    for at in 0..2000_u32 {
        sample(Digest::of(&at.to_be_bytes()), 0, 100, 64).into_iter().for_each(|leaf| times[leaf as usize] += 1);
    }
    assert!(times.iter().all(|times| (1150..1410).contains(times)), "{times:?}");
}
