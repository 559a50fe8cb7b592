//! What must be true before anything is dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

use crate::{Denial, EgressError, EgressPermit, Origin, Reach, Request};

/// Addresses that are not somebody's public host, as (network, prefix length): the special-purpose
/// registry of IANA, and the cloud's metadata hosts that lie outside it.
const NOT_PUBLIC_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Azure's metadata and agent host.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved, broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Holes in what is handed out to hosts, `2000::/3`.
const NOT_PUBLIC_V6: &[(Ipv6Addr, u8)] = &[
    // Teredo, benchmarking, ORCHID and the rest of the protocol assignments.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4 carries any IPv4 address inside.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether `address` is a host of the public network: not loopback, private, link-local,
/// multicast, documentation, carrier-grade NAT, a transition address or a metadata service.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|(network, prefix)| {
        let differs = address.to_bits() ^ network.to_bits();
        differs.leading_zeros() >= u32::from(*prefix)
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    // NAT64 (64:ff9b::/96) is how an IPv6-only network reaches IPv4: judge what is inside.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    let handed_out = address.segments()[0] & 0xe000 == 0x2000;
    handed_out
        && !NOT_PUBLIC_V6.iter().any(|(network, prefix)| {
            let differs = address.to_bits() ^ network.to_bits();
            differs.leading_zeros() >= u32::from(*prefix)
        })
}

/// Consumes the permit: what is returned may be sent, once, to that origin.
pub(crate) fn admit(permit: EgressPermit, request: &Request) -> Result<Origin, EgressError> {
    let denied = |why| Err(EgressError::Denied { why });
    let Some(origin) = request.origin() else {
        return denied(Denial::Scheme);
    };
    if !request.url.username().is_empty() || request.url.password().is_some() {
        return denied(Denial::Userinfo);
    }
    if *permit.origin() != origin {
        let permitted = Box::new(permit.origin().clone());
        let asked = Box::new(origin);
        return denied(Denial::OtherOrigin { permitted, asked });
    }
    if request.reach == Reach::Public && !literal_is_public(&origin) {
        return denied(Denial::NotPublic);
    }
    if !origin.is_secure() && !origin.is_loopback() && !request.allow_plain_http {
        return denied(Denial::PlainHttp);
    }
    Ok(origin)
}

/// Literals never see the resolver; names, `localhost` among them, are checked there.
fn literal_is_public(origin: &Origin) -> bool {
    match origin.parsed_host() {
        Host::Ipv4(address) => is_public_v4(*address),
        Host::Ipv6(address) => is_public_v6(*address),
        Host::Domain(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(!is_public(address), "{text}");
        }
    }

    #[test]
    fn hosts_of_the_public_network_are() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450:4001::200e",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(is_public(address), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_address_that_std_knows_as_special_is_public(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_multicast() || address.is_unspecified()
                || address.is_documentation();
            prop_assert!(!(special && is_public_v4(address)));
            prop_assert_eq!(is_public_v4(address), is_public_v6(address.to_ipv6_mapped()));
        }

        #[test]
        fn a_network_is_cut_at_its_prefix(row in 0..NOT_PUBLIC_V4.len(), low: u32) {
            let (network, prefix) = NOT_PUBLIC_V4[row];
            let host_bits = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let inside = Ipv4Addr::from_bits(network.to_bits() | (low & host_bits));
            prop_assert!(!is_public_v4(inside));
        }
    }
}
