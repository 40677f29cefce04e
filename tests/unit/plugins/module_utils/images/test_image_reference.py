"""References are read as Docker reads them, survive being written again, and say what is wrong with them."""

import re

import pytest
from ansible_collections.slipway.node.plugins.module_utils.images.reference import (
    BadReferenceError,
    parse,
    parse_source,
)
from hypothesis import assume, given
from hypothesis import strategies as st

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest", "familiar"),
    [
        ("busybox", "docker.io", "library/busybox", "latest", "", "busybox:latest"),
        ("busybox:1.37", "docker.io", "library/busybox", "1.37", "", "busybox:1.37"),
        ("docker.io/busybox", "docker.io", "library/busybox", "latest", "", "busybox:latest"),
        ("index.docker.io/team/app", "docker.io", "team/app", "latest", "", "team/app:latest"),
        ("library/busybox", "docker.io", "library/busybox", "latest", "", "busybox:latest"),
        ("library/team/app", "docker.io", "library/team/app", "latest", "", "library/team/app:latest"),
        ("debian13:5000/team/app:1", "debian13:5000", "team/app", "1", "", "debian13:5000/team/app:1"),
        ("localhost/app", "localhost", "app", "latest", "", "localhost/app:latest"),
        ("docker.io/localhost/app", "docker.io", "localhost/app", "latest", "", "docker.io/localhost/app:latest"),
        ("ghcr.io/a/b/c", "ghcr.io", "a/b/c", "latest", "", "ghcr.io/a/b/c:latest"),
        ("[2001:db8::5]:5000/app", "[2001:db8::5]:5000", "app", "latest", "", "[2001:db8::5]:5000/app:latest"),
        (f"busybox@{DIGEST}", "docker.io", "library/busybox", "", DIGEST, f"busybox@{DIGEST}"),
        (f"h:5000/a:1@{DIGEST}", "h:5000", "a", "1", DIGEST, f"h:5000/a:1@{DIGEST}"),
        ("a__b/c--d/e.f_g:X_1.2-3", "docker.io", "a__b/c--d/e.f_g", "X_1.2-3", "", "a__b/c--d/e.f_g:X_1.2-3"),
    ],
)
def test_parts(text, registry, repository, tag, digest, familiar):
    parts = parse(text)
    found = [parts[key] for key in ("registry", "repository", "tag", "digest", "familiar")]
    assert found == [registry, repository, tag, digest, familiar]
    end = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    assert parts["name"] == f"{registry}/{repository}{end}"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "no image reference. Write one such as busybox:1.37"),
        (None, "None is no image reference"),
        (5, "5 is no image reference"),
        ("https://host/app", "begins with https://, which is not part of a reference: leave it out"),
        ("docker://host/app", "begins with docker://"),
        ("a b", "holds white space"),
        ("app\n", "holds white space"),
        ("Team/App:1", "written in small letters: team/app"),
        ("team//app", "'team//app' is no repository"),
        ("team/app-", "is no repository"),
        ("/app", "'/app' is no repository"),
        ("host:5000/", "'' is no repository"),
        ("host:99999/app", "'host:99999' is no registry"),
        ("host:x/app", "'host:x' is no registry"),
        ("-host.org/app", "'-host.org' is no registry"),
        ("app:", "the tag '' is not"),
        ("app:.1", "the tag '.1' is not"),
        ("app:" + "x" * 129, "is not 1 to 128 letters"),
        ("app@", "the digest '' is not sha256:"),
        ("app@sha256:123", "Copy it whole"),
        ("app@" + DIGEST.upper(), "in small letters"),
        ("host.org/" + "a" * 250, "longer than 255 characters"),
    ],
)
def test_bad_references_say_what_is_wrong(text, error):
    with pytest.raises(BadReferenceError, match=re.escape(error)):
        parse(text)


@pytest.mark.parametrize(
    ("text", "transport", "path", "location"),
    [
        ("busybox:1", "docker", "", "docker://docker.io/library/busybox:1"),
        ("docker://h:5000/a:1", "docker", "", "docker://h:5000/a:1"),
        ("docker-daemon:team/app:1", "docker-daemon", "", "docker-daemon:team/app:1"),
        ("docker-archive:/srv/a.tar", "docker-archive", "/srv/a.tar", "docker-archive:/srv/a.tar"),
        ("docker-archive:/srv/a.tar:app:1", "docker-archive", "/srv/a.tar", "docker-archive:/srv/a.tar:app:1"),
        ("oci-archive:/srv/a.tar", "oci-archive", "/srv/a.tar", "oci-archive:/srv/a.tar"),
        ("library://user/collection/tool:1", "library", "", "library://user/collection/tool:1"),
        ("oras://h:5000/tool:1", "oras", "", "oras://h:5000/tool:1"),
    ],
)
def test_sources(text, transport, path, location):
    found = parse_source(text)
    assert (found["transport"], found["path"], found["location"]) == (transport, path, location)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("https://host/app", "is of no transport"),
        ("docker-archive:app.tar", "write the archive's absolute path"),
        ("oci-archive:", "write the archive's absolute path"),
        ("library://", "names nothing after library://"),
        ("docker://Host/App", "small letters"),
        ("docker-daemon:", "no image reference"),
        ("", "no source of an image"),
    ],
)
def test_bad_sources_say_what_is_wrong(text, error):
    with pytest.raises(BadReferenceError, match=re.escape(error)):
        parse_source(text)


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
COMPONENT = st.from_regex(r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
REGISTRY = st.one_of(
    st.just("docker.io"),
    st.just("localhost"),
    st.builds("{}.{}".format, LABEL, LABEL),
    st.builds("{}:{}".format, LABEL, st.integers(1, 65535)),
)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
PARTS = st.tuples(
    st.one_of(st.just(""), REGISTRY),
    st.lists(COMPONENT, min_size=1, max_size=4).map("/".join),
    st.one_of(st.just(""), TAG),
    st.one_of(st.just(""), st.just(DIGEST)),
)


@given(PARTS)
def test_what_was_read_reads_the_same_when_written_again(parts):
    registry, repository, tag, digest = parts
    # A first part with a dot is a registry's, which may have no underscore.
    assume(registry or "/" not in repository or "." not in repository.split("/")[0])
    text = (f"{registry}/" if registry else "") + repository
    text += (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    found = parse(text)
    assert parse(found["name"]) == found
    assert parse(found["familiar"]) == found
    assert len(found["familiar"]) <= len(found["name"])
    if registry not in ("", "docker.io"):
        assert (found["registry"], found["repository"]) == (registry, repository)
    assert found["tag"] == (tag or ("" if digest else "latest"))
    assert found["digest"] == digest


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse(text)
    except BadReferenceError as error:
        assert len(str(error)) > 20
    else:
        assert parse(found["name"]) == found
