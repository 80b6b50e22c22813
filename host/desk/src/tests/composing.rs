//! What is composed, and what speaks against it: all at once, and before anybody signs.

use contract::Class;
use fleet::{Device, Drawn};
use model::{Clock as _, Mode, SystemClock};
use trust::statement::Gate;
use trust::{Names, Trust};

use super::{World, approval, facts, key, name, plugin};
use crate::{Again, Against, Composed, Composer, Wanted};

const GATE: Gate = Gate { soak_seconds: 600, failures_max_ppm: 20_000, absent_after_seconds: 86_400 };

fn wanted() -> Wanted {
    Wanted {
        r#where: "os.family == 'debian'".to_owned(),
        clients: Vec::new(),
        only: None,
        rings: Some("1,100%".parse().unwrap()),
        gate: GATE,
        deadline_seconds: 7 * 86_400,
        windows: None,
        mode: Mode::Detect,
        plan: None,
        allow: Vec::new(),
        class_max: None,
        parameters: "{}".to_owned(),
        standing: None,
        undoes: None,
        upgrade: None,
        comment: String::new(),
    }
}

struct Scene {
    world: World,
    trust: Trust,
}

impl Scene {
    /// Three Debian servers and a Windows host of acme, one of which tells nothing; one Debian server of globex.
    async fn new() -> Self {
        let world = World::new().await;
        for (device, client, family) in [
            ("web", "acme", "debian"),
            ("mail", "acme", "debian"),
            ("pc", "acme", "windows"),
            ("db", "globex", "debian"),
        ] {
            world.device(device, client, &["server"], &facts(device, family)).await;
        }
        world.device("mute", "acme", &[], &fleet::Facts::default()).await;
        let boss = world.client("boss");
        boss.hand_over(&approval(&["acme"], &[("device", &[]), ("files-write", &["scratch"])])).await.unwrap();
        let trust = world.believes(&boss).await;
        Self { world, trust }
    }

    async fn compose(&self, by: &str, wanted: &Wanted, wishes: &[(&str, &[&str])]) -> Result<Composed, Vec<Against>> {
        let devices = self.world.client(by).inventory(&wanted.clients).await.unwrap();
        let composer = Composer { trust: &self.trust, by: &key(by), now_ms: SystemClock.now_ms() };
        composer.compose(wanted, &plugin(wishes), devices)
    }
}

fn told(against: Result<Composed, Vec<Against>>) -> Vec<String> {
    against.unwrap_err().iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_says_who_is_meant_who_goes_first_and_what_it_may_do() {
    let scene = Scene::new().await;
    let composed = scene.compose("tess", &wanted(), &[("device", &[])]).await.unwrap();
    let Composed { order, preview, rings, .. } = &composed;
    assert_eq!((preview.devices, preview.others, preview.undecided.len()), (2, 1, 1));
    assert_eq!(preview.undecided[0].absent, ["os"]);
    assert_eq!((preview.technicians, order.class_max, preview.clients["acme"]), (1, Class::L0, 2));
    assert_eq!(order.clients, Names::These(vec![name("acme")]));
    // Hub and devices draw the same.
    let devices = [Device::of(&key("web")), Device::of(&key("mail"))];
    let drawn = Drawn::new(&"1,100%".parse().unwrap(), &order.id.to_string(), &devices);
    assert_eq!(rings, &drawn.rings);
    let roots: Vec<_> = drawn.trees().iter().map(|tree| tree.root()).collect();
    assert_eq!(order.rings.iter().map(|it| it.root).collect::<Vec<_>>(), roots);
    assert_eq!((order.gate, preview.rings[0].devices, preview.rings[1].devices), (Some(GATE), 1, 1));
    assert!(preview.rings[0].first[0].starts_with(if drawn.rings[0][0] == devices[0] { "web" } else { "mail" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_speaks_against_it_is_said_at_once() {
    let scene = Scene::new().await;
    let enforce = Wanted { mode: Mode::Enforce, ..wanted() };
    let wishes: &[(&str, &[&str])] = &[("device", &[]), ("files-write", &["scratch"])];
    assert_eq!(scene.compose("tess", &enforce, wishes).await.unwrap().order.class_max, Class::L2, "the control");
    // Not approved at globex; more than the seat; a class that is too low: three things, and none hides another.
    let all = Wanted { class_max: Some(Class::L1), ..enforce.clone() };
    let against = scene.compose("boss", &all, wishes).await.unwrap_err();
    assert!(against.iter().any(Against::wants_approval));
    let text = told(Err(against)).join("\n");
    for expected in ["globex", "other-client", "`files-write` is L2, and --class-max is L1"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let beyond: &[(&str, &[&str])] = &[("device", &[]), ("service-control", &["nginx"])];
    let text = told(scene.compose("tess", &enforce, beyond).await).join("\n");
    assert!(text.contains("service-control [nginx]") && text.contains("not-granted"), "{text}");
    let nobody = Wanted { r#where: "hostname == 'nowhere'".to_owned(), ..wanted() };
    assert!(told(scene.compose("tess", &nobody, wishes).await)[0].starts_with("no device is meant: 3 are not, 1"));
    let wrong = Wanted { r#where: "clint == 1 && size(volumes) < 'x'".to_owned(), ..wanted() };
    assert!(told(scene.compose("tess", &wrong, wishes).await).len() >= 2);
    let bomb = Wanted { r#where: "volumes.all(a, volumes.all(b, a.mount != b.mount))".to_owned(), ..wanted() };
    assert!(told(scene.compose("tess", &bomb, wishes).await)[0].contains("steps on a device"));
    let no_seat =
        told(scene.compose("gus", &Wanted { clients: vec![name("acme")], ..wanted() }, wishes).await).join("\n");
    assert!(no_seat.contains("out-of-scope"), "{no_seat}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_about_an_order_is_for_its_devices_alone() {
    let scene = Scene::new().await;
    let wishes: &[(&str, &[&str])] = &[("files-write", &["scratch"])];
    let enforce = Wanted { mode: Mode::Enforce, ..wanted() };
    let before = scene.compose("tess", &enforce, wishes).await.unwrap().order;
    let again = || Again { rings: None, gate: None, deadline_seconds: 3_600, comment: "once more".to_owned() };
    let failed = std::collections::BTreeSet::from([Device::of(&key("mail"))]);
    let rerun = scene.compose("tess", &again().rerun(&before, failed.clone()), wishes).await.unwrap();
    assert_eq!(rerun.rings, [vec![Device::of(&key("mail"))]]);
    assert!(rerun.order.id != before.id && rerun.order.rings.len() == 1 && rerun.order.gate.is_none());
    assert_eq!((&rerun.order.r#where, rerun.order.class_max), (&before.r#where, before.class_max));
    let digest = model::Digest::of(b"the order before");
    let undo = scene.compose("tess", &again().undo(&before, digest, failed), wishes).await.unwrap();
    assert_eq!((undo.order.undoes, undo.order.r#where.as_str(), undo.preview.devices), (Some(digest), "", 1));
    let anew = crate::resigned(&before, &key("boss"), SystemClock.now_ms());
    assert!(anew.id != before.id && anew.by == key("boss") && anew.rings == before.rings);
}
