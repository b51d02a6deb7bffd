//! Extensions of certificates (RFC 5280 §4.2).

use der::asn1::ObjectIdentifier;
use regorus::Value as Rego;

use super::{
    super::{
        asn1::{Input, minimal, small, tag},
        encoding::to_standard,
        url::Url,
    },
    constraints::{NameConstraints, valid_domain},
    value::{self, record, texts},
};

/// Extended key usages, at Go's numbers.
const USAGES: [&str; 14] = [
    "2.5.29.37.0",
    "1.3.6.1.5.5.7.3.1",
    "1.3.6.1.5.5.7.3.2",
    "1.3.6.1.5.5.7.3.3",
    "1.3.6.1.5.5.7.3.4",
    "1.3.6.1.5.5.7.3.5",
    "1.3.6.1.5.5.7.3.6",
    "1.3.6.1.5.5.7.3.7",
    "1.3.6.1.5.5.7.3.8",
    "1.3.6.1.5.5.7.3.9",
    "1.3.6.1.4.1.311.10.3.3",
    "2.16.840.1.113730.4.1",
    "1.3.6.1.4.1.311.2.1.22",
    "1.3.6.1.4.1.311.61.1.1",
];
const AUTHORITY_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");

/// An extension as it stands in a certificate.
pub(super) struct Extension {
    pub(super) id: ObjectIdentifier,
    critical: bool,
    pub(super) value: Vec<u8>,
}

/// What the extensions say that are understood.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) key_usage: u64,
    pub(super) has_basic_constraints: bool,
    pub(super) is_authority: bool,
    pub(super) max_path: i64,
    pub(super) names: Option<Names>,
    pub(super) name_constraints: Option<NameConstraints>,
    /// At Go's numbers.
    pub(super) usages: Vec<u64>,
    pub(super) other_usages: Vec<ObjectIdentifier>,
    pub(super) subject_key: Option<Vec<u8>>,
    pub(super) authority_key: Option<Vec<u8>>,
    pub(super) unhandled: Vec<ObjectIdentifier>,
    pub(super) explicit_policy: Option<i64>,
    no_mapping: Option<i64>,
    no_any_policy: Option<i64>,
    policies: Option<Vec<ObjectIdentifier>>,
    mappings: Vec<(ObjectIdentifier, ObjectIdentifier)>,
    revocation_lists: Vec<String>,
    responders: Vec<String>,
    issuers: Vec<String>,
}

/// The alternative names of a subject (RFC 5280 §4.2.1.6).
#[derive(Default)]
pub(super) struct Names {
    pub(super) dns: Vec<String>,
    pub(super) emails: Vec<String>,
    /// Of 4 or 16 bytes.
    pub(super) addresses: Vec<Vec<u8>>,
    pub(super) uris: Vec<Url>,
}

impl Extension {
    /// The extensions of a list, none of them twice.
    pub(super) fn list(mut list: Input) -> Option<Vec<Self>> {
        let mut extensions: Vec<Self> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        while !list.is_empty() {
            let mut extension = list.expect(tag::SEQUENCE)?;
            let id = extension.oid()?;
            let critical = if extension.next_is(tag::BOOLEAN) { extension.boolean()? } else { false };
            let value = extension.expect(tag::OCTET_STRING)?.0.to_vec();
            if !seen.insert(id) {
                return None;
            }
            extensions.push(Self { id, critical, value });
        }
        Some(extensions)
    }

    /// As Go has it.
    pub(super) fn value(&self) -> Rego {
        record([
            ("Critical", Rego::from(self.critical)),
            ("Id", value::oid(&self.id)),
            ("Value", to_standard(&self.value).into()),
        ])
    }
}

impl Extensions {
    /// `None` where one that is understood is malformed.
    pub(super) fn new(list: &[Extension]) -> Option<Self> {
        let mut extensions = Self::default();
        for extension in list {
            if !extensions.read(extension)? && extension.critical {
                extensions.unhandled.push(extension.id);
            }
        }
        Some(extensions)
    }

    /// Reads one, and says whether it is understood.
    fn read(&mut self, extension: &Extension) -> Option<bool> {
        let mut input = Input(&extension.value);
        let forbidden = || extension.critical.then_some(()).is_none().then_some(());
        if extension.id == AUTHORITY_ACCESS {
            forbidden()?;
            self.read_access(input.expect(tag::SEQUENCE)?)?;
            return Some(true);
        }
        match extension.id.to_string().as_str() {
            "2.5.29.14" => {
                forbidden()?;
                self.subject_key = Some(input.expect(tag::OCTET_STRING)?.0.to_vec());
            }
            "2.5.29.15" => {
                let (bytes, _) = input.bits()?;
                let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
                self.key_usage = (0..9).filter(|at| bit(*at)).map(|at| 1 << at).sum();
            }
            "2.5.29.17" => {
                let names = Names::parse(&extension.value)?;
                let empty = names.is_empty();
                self.names = Some(names);
                return Some(!empty);
            }
            "2.5.29.19" => self.read_basic_constraints(input.expect(tag::SEQUENCE)?)?,
            "2.5.29.30" => {
                let constraints = NameConstraints::parse(&extension.value, extension.critical)?;
                let understood = constraints.understood;
                self.name_constraints = Some(constraints);
                return Some(understood);
            }
            "2.5.29.31" => self.read_points(input.expect(tag::SEQUENCE)?)?,
            "2.5.29.32" => self.read_policies(input.expect(tag::SEQUENCE)?)?,
            "2.5.29.33" => {
                let mut mappings = input.expect(tag::SEQUENCE)?;
                while !mappings.is_empty() {
                    let mut pair = mappings.expect(tag::SEQUENCE)?;
                    self.mappings.push((pair.oid()?, pair.oid()?));
                }
            }
            "2.5.29.35" => {
                forbidden()?;
                let key = input.expect(tag::SEQUENCE)?.optional(tag::context(0))?;
                self.authority_key = key.map(|key| key.0.to_vec());
            }
            "2.5.29.36" => {
                let mut constraints = input.expect(tag::SEQUENCE)?;
                let number = |value: Option<Input>| match value {
                    None => Some(None),
                    Some(value) => Some(Some(small(value.0).filter(|_| minimal(value.0))?)),
                };
                self.explicit_policy = number(constraints.optional(tag::context(0))?)?;
                self.no_mapping = number(constraints.optional(tag::context(1))?)?;
            }
            "2.5.29.37" => {
                let mut usages = input.expect(tag::SEQUENCE)?;
                while !usages.is_empty() {
                    let usage = usages.oid()?;
                    let text = usage.to_string();
                    match (0_u64..).zip(USAGES).find(|(_, known)| *known == text) {
                        Some((number, _)) => self.usages.push(number),
                        None => self.other_usages.push(usage),
                    }
                }
            }
            "2.5.29.54" => self.no_any_policy = Some(input.small()?),
            _ => return Some(false),
        }
        Some(true)
    }

    fn read_basic_constraints(&mut self, mut input: Input) -> Option<()> {
        self.is_authority = if input.next_is(tag::BOOLEAN) { input.boolean()? } else { false };
        self.max_path = if input.next_is(tag::INTEGER) { input.small().filter(|length| *length >= 0)? } else { -1 };
        self.has_basic_constraints = true;
        Some(())
    }

    fn read_access(&mut self, mut input: Input) -> Option<()> {
        while !input.is_empty() {
            let mut description = input.expect(tag::SEQUENCE)?;
            let method = description.oid()?.to_string();
            if let Some(place) = description.optional(tag::context(6))? {
                let place = String::from_utf8_lossy(place.0).into_owned();
                match method.as_str() {
                    "1.3.6.1.5.5.7.48.1" => self.responders.push(place),
                    "1.3.6.1.5.5.7.48.2" => self.issuers.push(place),
                    _ => {}
                }
            }
        }
        Some(())
    }

    fn read_points(&mut self, mut input: Input) -> Option<()> {
        while !input.is_empty() {
            let Some(mut name) = input.expect(tag::SEQUENCE)?.optional(tag::constructed(0))? else { continue };
            let mut full = name.expect(tag::constructed(0))?;
            while full.next_is(tag::context(6)) {
                let place = full.expect(tag::context(6))?.0;
                self.revocation_lists.push(String::from_utf8_lossy(place).into_owned());
            }
        }
        Some(())
    }

    fn read_policies(&mut self, mut input: Input) -> Option<()> {
        let mut policies = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        while !input.is_empty() {
            let policy = input.expect(tag::SEQUENCE)?.oid()?;
            if !seen.insert(policy) {
                return None;
            }
            policies.push(policy);
        }
        self.policies = Some(policies);
        Some(())
    }

    /// Writes the members that come from extensions.
    pub(super) fn write(&self, members: &mut regorus::value::Object, uri_strings: bool) {
        let number = |value: Option<i64>| Rego::from(value.unwrap_or(0));
        let zero = |value: Option<i64>| Rego::from(value == Some(0));
        let dotted = |id: &ObjectIdentifier| Rego::from(id.to_string());
        let none = Names::default();
        let names = self.names.as_ref().unwrap_or(&none);
        let [dns, emails, addresses, uris] = names.values();
        let policies = self.policies.as_deref();
        let list = |one: &dyn Fn(&ObjectIdentifier) -> Rego| {
            policies.map(|policies| Rego::from(policies.iter().map(one).collect::<Vec<_>>()))
        };
        let mapping = |(issuer, subject): &(ObjectIdentifier, ObjectIdentifier)| {
            record([("IssuerDomainPolicy", dotted(issuer)), ("SubjectDomainPolicy", dotted(subject))])
        };
        for (name, value) in [
            ("AuthorityKeyId", value::bytes(self.authority_key.as_deref())),
            ("BasicConstraintsValid", Rego::from(self.has_basic_constraints)),
            ("CRLDistributionPoints", texts(&self.revocation_lists)),
            ("DNSNames", dns),
            ("EmailAddresses", emails),
            ("ExtKeyUsage", value::slice(&self.usages, |usage| Rego::from(*usage))),
            ("IPAddresses", addresses),
            ("InhibitAnyPolicy", number(self.no_any_policy)),
            ("InhibitAnyPolicyZero", zero(self.no_any_policy)),
            ("InhibitPolicyMapping", number(self.no_mapping)),
            ("InhibitPolicyMappingZero", zero(self.no_mapping)),
            ("IsCA", Rego::from(self.is_authority)),
            ("IssuingCertificateURL", texts(&self.issuers)),
            ("KeyUsage", Rego::from(self.key_usage)),
            ("MaxPathLen", Rego::from(self.max_path)),
            ("MaxPathLenZero", Rego::from(self.has_basic_constraints && self.max_path == 0)),
            ("OCSPServer", texts(&self.responders)),
            ("Policies", policies.map_or(Rego::Null, |policies| value::slice(policies, dotted))),
            ("PolicyIdentifiers", list(&value::oid).unwrap_or(Rego::Null)),
            ("PolicyMappings", value::slice(&self.mappings, mapping)),
            ("RequireExplicitPolicy", number(self.explicit_policy)),
            ("RequireExplicitPolicyZero", zero(self.explicit_policy)),
            ("SubjectKeyId", value::bytes(self.subject_key.as_deref())),
            ("URIs", uris),
            ("UnhandledCriticalExtensions", value::slice(&self.unhandled, value::oid)),
            ("UnknownExtKeyUsage", value::slice(&self.other_usages, value::oid)),
        ] {
            members.insert(name.into(), value);
        }
        if uri_strings {
            let strings = value::slice(&names.uris, |uri| uri.to_string().into());
            members.insert("URIStrings".into(), strings);
        }
        NameConstraints::write(self.name_constraints.as_ref(), members);
    }
}

impl Names {
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let mut names = Self::default();
        let mut list = Input(der).expect(tag::SEQUENCE)?;
        while !list.is_empty() {
            let name = list.any()?;
            let bytes = name.value.0;
            let text = || std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(str::to_owned);
            match name.tag {
                0x81 => names.emails.push(text()?),
                0x82 => names.dns.push(text()?),
                0x86 => {
                    let url = Url::parse(&text()?)?;
                    if !valid_domain(&url.host, false) {
                        return None;
                    }
                    names.uris.push(url);
                }
                0x87 if matches!(bytes.len(), 4 | 16) => names.addresses.push(bytes.to_vec()),
                0x87 => return None,
                _ => {}
            }
        }
        Some(names)
    }

    fn is_empty(&self) -> bool {
        self.dns.is_empty() && self.emails.is_empty() && self.addresses.is_empty() && self.uris.is_empty()
    }

    /// `DNSNames`, `EmailAddresses`, `IPAddresses` and `URIs` as Go has them.
    pub(super) fn values(&self) -> [Rego; 4] {
        [
            texts(&self.dns),
            texts(&self.emails),
            value::slice(&self.addresses, |address| value::address(address)),
            value::slice(&self.uris, uri),
        ]
    }
}

fn uri(uri: &Url) -> Rego {
    let text = |text: &String| Rego::from(text.as_str());
    record([
        ("ForceQuery", Rego::from(uri.force_query)),
        ("Fragment", text(&uri.fragment)),
        ("Host", text(&uri.host)),
        ("OmitHost", Rego::from(uri.omit_host)),
        ("Opaque", text(&uri.opaque)),
        ("Path", text(&uri.path)),
        ("RawFragment", text(&uri.raw_fragment)),
        ("RawPath", text(&uri.raw_path)),
        ("RawQuery", text(&uri.raw_query)),
        ("Scheme", text(&uri.scheme)),
        // Go has nothing public in there.
        ("User", if uri.user.is_some() { Rego::new_object() } else { Rego::Null }),
    ])
}
