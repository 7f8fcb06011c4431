"""Where a service is, from botocore's rule sets: the templates that differ from the usual one.

A template is a host with `{r}` for the region and `{s}` for the partition's DNS suffix; behind bars may stand the region and
the name that requests are signed for. Rules on buckets, ARNs and accounts are no templates.
"""

import collections
import re

from botocore.endpoint_provider import EndpointProvider, EndpointResolutionError

# Plain, FIPS, dual stack, both.
VARIANTS = [(False, False), (True, False), (False, True), (True, True)]
USUAL = [infix + ".{r}.{s}" for infix in ("", "-fips", "", "-fips")]


def beginning(regex):
    """The letters that all regions of a partition begin with: `^us\\-gov\\-\\w+\\-\\d+$` -> `us-gov-`."""
    return re.match(r"\^((?:[a-z]+\\-)*)", regex)[1].replace("\\", "")


def template(endpoint, region, suffix, signing):
    host = endpoint.url.removeprefix("https://").replace(region, "{r}")
    host = re.sub(re.escape(suffix) + "$", "{s}", host)
    schemes = (endpoint.properties or {}).get("authSchemes") or [{}]
    scheme = next((scheme for scheme in schemes if scheme.get("name") in ("sigv4", None)), schemes[0])
    other_region, other_name = scheme.get("signingRegion"), scheme.get("signingName")
    other_region = "" if other_region in (None, region) else other_region
    other_name = "" if other_name in (None, signing) else other_name
    return "|".join([host, other_region, other_name]) if other_region or other_name else host


def exceptions(rules, partitions, metadata):
    """By partition or region, and the number of the variant: the template, `None` where the service is not."""
    provider, parameters = EndpointProvider(rules, partitions), rules["parameters"]
    signing = metadata.get("signingName") or metadata["endpointPrefix"]
    defaults = {name: rule["default"] for name, rule in parameters.items() if "default" in rule}
    found = {}
    for partition in partitions["partitions"]:
        regions = [region for region in partition["regions"] if not region.endswith("-global")]
        for number, (fips, dual_stack) in enumerate(VARIANTS):
            suffix = partition["outputs"]["dualStackDnsSuffix" if dual_stack else "dnsSuffix"]
            places = {}
            for region in regions:
                given = {"Region": region, "UseFIPS": fips, "UseDualStack": dual_stack}
                given = {**defaults, **{name: value for name, value in given.items() if name in parameters}}
                try:
                    endpoint = provider.resolve_endpoint(**given)
                    places[region] = template(endpoint, region, suffix, signing)
                except EndpointResolutionError:
                    places[region] = None
            common = collections.Counter(places.values()).most_common(1)
            if not common:
                continue
            common = common[0][0]
            if common != metadata["endpointPrefix"] + USUAL[number]:
                found[partition["id"] + str(number)] = common
            found.update((region + str(number), place) for region, place in places.items() if place != common)
    return found
