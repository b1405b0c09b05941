//! Endpoint services: the ways to proxies that are reached through a private network, as the operator registers them.
//!
//! In AWS these are VPC endpoint services; here they are facts that the operator declares. The rules over them are
//! those of AWS, so that a configuration moves from there unchanged and mistakes are told in the same words.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use trent_protocol::{ConnectionErrorCode, ErrorCode};

use crate::identifier::{AccountId, Region};

/// Different zones that a service must be in.
const ZONES_MIN: usize = 2;

/// An endpoint service as the operator has registered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointService {
    /// Its name, `com.amazonaws.vpce.<region>.vpce-svc-…`.
    pub name: String,
    /// The account that owns it.
    pub owner_account: AccountId,
    /// The kind of load balancer in front of it.
    pub load_balancer_type: LoadBalancer,
    /// The zones it is in.
    pub availability_zones: BTreeSet<String>,
    /// Whether every connection must be accepted by hand.
    #[serde(default)]
    pub acceptance_required: bool,
    /// The name that proxies are reached by.
    #[serde(default)]
    pub private_dns_name: Option<String>,
    /// Whether the owner of that name has been verified.
    pub domain_verification: DomainVerification,
    /// Who may connect.
    pub allowed_principals: Vec<String>,
    /// Where connections go: host and port.
    pub targets: Vec<String>,
}

/// A kind of load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadBalancer {
    /// It passes connections on: the one kind that will do.
    Network,
    /// It passes packets on.
    Gateway,
}

/// Whether the owner of a private name has been verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DomainVerification {
    /// It has.
    Verified,
    /// Not yet.
    PendingVerification,
    /// It could not be.
    Failed,
}

/// Why a proxy cannot be reached through a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// There is none of this name that the key store may use.
    #[error(
        "The VPC endpoint service was not found in this Region, or does not allow the service principal of AWS KMS \
         external key stores."
    )]
    NotFound,
    /// It is not as it must be.
    #[error(
        "The configuration of the VPC endpoint service does not fulfil the requirements of an external key store: {0}."
    )]
    Invalid(&'static str),
}

impl ServiceError {
    /// The code that CreateCustomKeyStore and UpdateCustomKeyStore answer.
    pub const fn while_configuring(self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::XksProxyVpcEndpointServiceNotFound,
            Self::Invalid(_) => ErrorCode::XksProxyVpcEndpointServiceInvalidConfiguration,
        }
    }

    /// Why an attempt to connect failed.
    pub const fn while_connecting(self) -> ConnectionErrorCode {
        match self {
            Self::NotFound => ConnectionErrorCode::XksVpcEndpointServiceNotFound,
            Self::Invalid(_) => ConnectionErrorCode::XksVpcEndpointServiceInvalidConfiguration,
        }
    }
}

/// The registered service `name` of `owner`, if a key store of `region` reaches the proxy at `host` through it.
pub fn find_service<'r>(
    registered: &'r [EndpointService],
    name: &str,
    owner: AccountId,
    region: Region,
    host: &str,
) -> Result<&'r EndpointService, ServiceError> {
    let in_region = name.split('.').nth(3) == Some(region.as_str());
    let principal = format!("cks.kms.{region}.amazonaws.com");
    let found = registered.iter().find(|service| {
        let allows = |listed: &String| *listed == principal;
        service.name == name
            && service.owner_account == owner
            && service.allowed_principals.iter().any(allows)
    });
    let service = found.filter(|_| in_region).ok_or(ServiceError::NotFound)?;
    let invalid = |what| Err(ServiceError::Invalid(what));
    let private = service.private_dns_name.as_deref();
    if service.load_balancer_type != LoadBalancer::Network {
        invalid("it must be behind a network load balancer")
    } else if service.availability_zones.len() < ZONES_MIN {
        invalid("it must be in at least two Availability Zones")
    } else if service.acceptance_required {
        invalid("acceptance must not be required")
    } else if !private.is_some_and(|name| name.eq_ignore_ascii_case(host)) {
        invalid("its private DNS name must be the host of the proxy URI endpoint")
    } else if service.domain_verification != DomainVerification::Verified {
        invalid("its private DNS name must be verified")
    } else {
        Ok(service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "com.amazonaws.vpce.us-east-1.vpce-svc-0example";

    fn service() -> EndpointService {
        EndpointService {
            name: NAME.to_owned(),
            owner_account: "111122223333".parse().unwrap(),
            load_balancer_type: LoadBalancer::Network,
            availability_zones: ["us-east-1a", "us-east-1b"].map(str::to_owned).into(),
            acceptance_required: false,
            private_dns_name: Some("proxy.xks.example.com".to_owned()),
            domain_verification: DomainVerification::Verified,
            allowed_principals: vec!["cks.kms.us-east-1.amazonaws.com".to_owned()],
            targets: vec!["192.0.2.10:8443".to_owned()],
        }
    }

    fn find(service: EndpointService) -> Result<(), ServiceError> {
        let (owner, region) = ("111122223333".parse().unwrap(), "us-east-1".parse().unwrap());
        find_service(&[service], NAME, owner, region, "Proxy.xks.example.com").map(|_| ())
    }

    #[test]
    fn a_service_must_be_there_for_the_key_store() {
        assert_eq!(find(service()), Ok(()));
        let other = EndpointService { name: format!("{NAME}2"), ..service() };
        let foreign = EndpointService { owner_account: "444455556666".parse().unwrap(), ..service() };
        let principal = EndpointService { allowed_principals: Vec::new(), ..service() };
        for wrong in [other, foreign, principal] {
            assert_eq!(find(wrong.clone()), Err(ServiceError::NotFound), "{wrong:?}");
        }
        let elsewhere = EndpointService {
            allowed_principals: vec!["cks.kms.eu-west-1.amazonaws.com".to_owned()],
            ..service()
        };
        let (owner, region) = (elsewhere.owner_account, "eu-west-1".parse().unwrap());
        let registered = [elsewhere];
        let found = find_service(&registered, NAME, owner, region, "proxy.xks.example.com");
        assert_eq!(found, Err(ServiceError::NotFound), "a name of another Region");
    }

    #[test]
    fn a_service_must_be_as_aws_demands() {
        let wrong = [
            EndpointService { load_balancer_type: LoadBalancer::Gateway, ..service() },
            EndpointService { availability_zones: BTreeSet::from(["us-east-1a".to_owned()]), ..service() },
            EndpointService { acceptance_required: true, ..service() },
            EndpointService { private_dns_name: None, ..service() },
            EndpointService { private_dns_name: Some("other.example.com".to_owned()), ..service() },
            EndpointService { domain_verification: DomainVerification::PendingVerification, ..service() },
        ];
        for wrong in wrong {
            assert!(matches!(find(wrong.clone()), Err(ServiceError::Invalid(_))), "{wrong:?}");
        }
    }
}
