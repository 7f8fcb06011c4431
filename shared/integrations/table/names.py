"""Names as Step Functions shows them, computed from the names of a botocore model.

The rules are those of the SDK for Java v2: words are split, each gets one capital, and leading capitals of a member become
one. `equals` becoming `EqualsValue` is documented by AWS; the same rule holds for every word of Java.
"""

JAVA = set("""abstract assert boolean break byte case catch char class const continue default do double else enum extends
false final finally float for goto if implements import instanceof int interface long native new null package private
protected public return short static strictfp super switch synchronized this throw throws transient true try void
volatile while""".split())
METHODS = set("equals finalize getClass hashCode notify notifyAll toString wait builder sdkFields toBuilder "
              "overrideConfiguration sdkHttpResponse".split())
# What the SDK's own settings for single services rename: an attribute's value in DynamoDB.
RENAMED = {"NULL": "Nul"}


def _version(run, start):
    """The end of a version such as `V2` that begins at `start`; a capital V needs two letters before it that are none."""
    if run[start] in "vV" and start >= 2:
        other = str.isupper if run[start] == "V" else str.islower
        if not other(run[start - 1]) and not other(run[start - 2]):
            end = start + 1
            while end < len(run) and run[end].isdigit():
                end += 1
            if end > start + 1:
                return end
    return None


def _cuts(run):
    """The places between the words of letters and digits without separators."""
    cuts = set()
    for at in range(1, len(run)):
        end = _version(run, at)
        if end:
            cuts |= {at, end}
        before, here, after = run[at - 1], run[at], run[at + 1:at + 2]
        if before.islower() and here.isupper() and after:  # acmSuccess
            cuts.add(at)
        version = after == "v" and _version(run, at + 1)  # SESv2 is one word, ACMSuccess two
        if before.isupper() and here.isupper() and after.islower() and not version:
            cuts.add(at)
        if before.isdigit() and here.isalpha():  # s3ec2
            cuts.add(at)
    return sorted(cut for cut in cuts if cut < len(run))


def words(text):
    found = []
    for run in "".join(c if c.isascii() and c.isalnum() else " " for c in text).split():
        at = [0, *_cuts(run), len(run)]
        found += [run[start:end] for start, end in zip(at, at[1:])]
    return found


def pascal(text):
    return "".join(word.capitalize() for word in words(text))


def service(service_id):
    """`DynamoDb`: begins error names, and stands behind `Service:` in causes; in lower case the service of a resource."""
    name = pascal(service_id)
    for lead in ("Amazon", "Aws"):
        name = name.removeprefix(lead)
    return name.removesuffix("Service")


def uncapitalized(name):
    """Leading capitals become small, but for one that begins a word: `DBInstance` -> `dbInstance`."""
    end = 1
    while end < len(name) and name[end].isupper() and not name[end + 1:end + 2].islower():
        end += 1
    return name[:end].lower() + name[end:]


def capitalized(name):
    return name[:1].upper() + name[1:]


def member(name):
    if name in RENAMED:
        return RENAMED[name]
    shown = uncapitalized(name)
    if shown.lower() in JAVA or shown in METHODS:
        shown = uncapitalized(shown + "Value")
    return capitalized(shown)


def exception(shape):
    if shape.endswith("Fault"):
        return pascal(shape[:-5]) + "Exception"
    return pascal(shape) + ("" if shape.endswith("Exception") else "Exception")


def action(operation):
    return uncapitalized(operation)
