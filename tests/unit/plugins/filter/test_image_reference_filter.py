"""The filters hand on what the parser says, as Ansible's errors."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.filter.image_reference import FilterModule

FILTERS = FilterModule().filters()


def test_a_reference_becomes_a_mapping():
    assert FILTERS["image_reference"]("debian13:5000/team/app:1")["repository"] == "team/app"


def test_an_error_names_filter_cause_and_remedy():
    with pytest.raises(AnsibleFilterError, match=r"image_reference: 'Team/App': .* small letters: team/app"):
        FILTERS["image_reference"]("Team/App")
