//! The bundles that policies come from.

use std::time::Duration;

use super::family::{Families, Kind};

/// How one bundle fares.
#[derive(Clone, Debug)]
pub struct BundleFigures {
    /// Its name in the configuration.
    pub name: String,
    /// What its author calls the content that is active.
    pub revision: String,
    /// How long ago its source last said what is current.
    pub age: Option<Duration>,
    /// Whether that is longer than configured.
    pub stale: bool,
    /// Whether what came last went wrong.
    pub failing: bool,
}

/// All of them.
pub(super) fn measure(bundles: &[BundleFigures], out: &mut Families) {
    let name = "verdict_bundle_age_seconds";
    out.family(name, Kind::Gauge, "Time since the bundle's source last said what is current.");
    for bundle in bundles {
        if let Some(age) = bundle.age {
            out.sample(&[("bundle", &bundle.name)], age.as_secs_f64());
        }
    }
    let mut gauge = |name, help, figure: fn(&BundleFigures) -> bool| {
        out.family(name, Kind::Gauge, help);
        for bundle in bundles {
            out.sample(&[("bundle", &bundle.name)], figure(bundle));
        }
    };
    gauge("verdict_bundle_stale", "Whether the age is over `stale_after`.", |bundle| bundle.stale);
    gauge("verdict_bundle_failing", "Whether what came last of the bundle went wrong.", |bundle| bundle.failing);
    out.family("verdict_bundle_info", Kind::Gauge, "The revision of the bundle that is active; always 1.");
    for bundle in bundles {
        out.sample(&[("bundle", &bundle.name), ("revision", &bundle.revision)], 1_u64);
    }
}
