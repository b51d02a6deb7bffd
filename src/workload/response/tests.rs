use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use super::*;

struct Made {
    authority: Vec<u8>,
    svid: Vec<u8>,
    key: Vec<u8>,
}

fn made(uris: &[&str]) -> Made {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    let key = KeyPair::generate().unwrap();
    let svid = params.signed_by(&key, &issuer).unwrap();
    Made { authority: issuer.der().to_vec(), svid: svid.der().to_vec(), key: key.serialize_der() }
}

fn svid(id: &str) -> message::Svid {
    let Made { authority, svid, key } = made(&[id]);
    message::Svid {
        spiffe_id: id.to_owned(),
        x509_svid: svid,
        x509_svid_key: key,
        bundle: authority,
        hint: String::new(),
    }
}

fn fault(change: impl FnOnce(&mut message::Response)) -> String {
    let mut response = message::Response { svids: vec![svid("spiffe://a.test/x")], ..message::Response::default() };
    change(&mut response);
    read(response).expect_err("it is of no use")
}

#[test]
fn svids_bundles_and_lists_are_all_taken() {
    let mut second = svid("spiffe://a.test/y");
    let first = svid("spiffe://a.test/x");
    second.bundle.clone_from(&first.bundle);
    second.hint = "outside".to_owned();
    let other = made(&[]).authority;
    let response = message::Response {
        svids: vec![first, second],
        crl: vec![b"list".to_vec()],
        federated_bundles: [("spiffe://b.test".to_owned(), other), ("spiffe://c.test".to_owned(), Vec::new())].into(),
    };
    let material = read(response).unwrap();
    assert_eq!(material.svid(None).unwrap().id, "spiffe://a.test/x");
    assert_eq!(material.svid(Some("outside")).unwrap().id, "spiffe://a.test/y");
    assert!(material.svid(Some("inside")).is_none());
    let sizes: Vec<_> = material.bundles.iter().map(|(domain, all)| (domain.as_str(), all.len())).collect();
    assert_eq!((sizes, material.lists.len()), (vec![("a.test", 1), ("b.test", 1), ("c.test", 0)], 1));
    assert!(!format!("{material:?}").contains("key"));
}

#[test]
fn what_can_t_be_read_whole_is_of_no_use() {
    assert!(fault(|response| response.svids.clear()).contains("no SVID"));
    for id in ["", "spiffe://a.test", "spiffe://a.test/", "https://a.test/x", "spiffe://A/x", "spiffe://a.test/é\n"] {
        let text = fault(|response| id.clone_into(&mut response.svids[0].spiffe_id));
        assert!(text.contains("no SPIFFE ID of a workload") && text.is_ascii() && !text.contains('\n'), "{text}");
    }
    assert!(fault(|response| response.svids[0].spiffe_id.push('y')).contains("another's"));
    for uris in [&[][..], &["spiffe://a.test/x", "spiffe://a.test/y"], &["spiffe://a.test/x", "https://a.test"]] {
        assert!(fault(|response| response.svids[0].x509_svid = made(uris).svid).contains("another's"), "{uris:?}");
    }
    assert!(fault(|response| response.svids[0].x509_svid.clear()).contains("no certificate"));
    assert!(fault(|response| response.svids[0].x509_svid.truncate(20)).contains("no DER"));
    assert!(fault(|response| response.svids[0].x509_svid = b"\x30\x00".to_vec()).contains("can't be read"));
    assert!(fault(|response| response.svids[0].x509_svid_key.clear()).contains("no key"));
    assert!(fault(|response| response.svids[0].bundle.clear()).contains("bundle"));
    assert!(fault(|response| response.svids[0].bundle.push(0)).contains("bundle"));
    assert!(fault(|response| response.svids.push(svid("spiffe://a.test/y"))).contains("two bundles"));
    for (id, bundle) in [("spiffe://a.test", ""), ("spiffe://b.test/x", ""), ("b.test", ""), ("spiffe://b.test", "x")] {
        let bundle = bundle.as_bytes().to_vec();
        fault(|response| drop(response.federated_bundles.insert(id.to_owned(), bundle)));
    }
}

#[test]
fn a_spiffe_id_is_spelt_in_one_way() {
    for good in ["spiffe://a", "spiffe://a.b_c-1/x/Y.z"] {
        assert!(is_spiffe_id(good), "{good}");
    }
    for bad in [
        "spiffe://",
        "spiffe://A/x",
        "spiffe://a/",
        "spiffe://a//x",
        "spiffe://a/..",
        "spiffe://a/./x",
        "spiffe://a/x?y",
        "spiffe://a/x#y",
        "spiffe://a:1/x",
        "spiffe://u@a/x",
        "spiffe://a/%78",
        "SPIFFE://a/x",
        "http://a/x",
    ] {
        assert!(!is_spiffe_id(bad), "{bad}");
    }
}
