//! How the parts of a hub are put together, in the one place where they are.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::server::{self, Desk, Limits};
use tokio::net::TcpListener;
use tokio::time::interval;

use crate::{Delivery, Error, Hub, Notifier, Post, api};

/// How often it is looked what runs out and what is too old.
const CHORES_EVERY: Duration = Duration::from_secs(3_600);

impl Hub {
    /// Serves devices and technicians, carries orders, and does chores, until it is dropped. What is acknowledged is on the disk, so
    /// that may be at any time. Somebody is told what devices have to tell, where there are ways to. It fails where nobody can be shown
    /// who this is, or where it carries orders no more.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        notifier: Option<Notifier>,
    ) -> Result<Infallible, Error> {
        let tls = Arc::new(self.ca().tls()?);
        let post = Arc::new(Post::new(Arc::clone(&self)));
        let delivery = Delivery::new(Arc::clone(&post)).run();
        let (exchange, admission) = (Arc::clone(&post), post);
        let desk = Arc::new(Desk::new(exchange, admission, self.ca().digest(), Arc::clone(&self.clock)));
        let leaving = Arc::downgrade(&desk);
        self.when_retired(move |device| {
            if let Some(desk) = leaving.upgrade() {
                desk.end(device);
            }
        });
        let routes = api::router(Arc::clone(&self)).merge(server::routes(desk));
        let mut chores = interval(CHORES_EVERY);
        let chores = async {
            loop {
                chores.tick().await;
                self.do_chores().await;
            }
        };
        let told = async {
            match notifier {
                Some(notifier) => notifier.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = server::serve(listener, tls, routes, Limits::default()) => Err(Error::Lost),
            () = chores => Err(Error::Lost),
            () = told => Err(Error::Lost),
            // What panics in there is a defect.
            () = delivery => Err(Error::Lost),
        }
    }
}
