# Is this text of the Prometheus exposition format 0.0.4, and as its conventions ask? A line for
# each thing that is wrong; nothing where all is well.
function wrong(what) { printf "line %d: %s: %s\n", NR, what, $0 }
# The name of the family that a sample belongs to.
function family_of(name) {
    if (type[name] != "") return name
    sub(/_(bucket|sum|count)$/, "", name)
    return name
}
# Cut labels off `text`, which begins behind "{"; returns what is behind "}", or "!" if it is wrong.
# Sets labels (all but le, as they stand) and le.
function cut_labels(text,    name, value) {
    labels = ""
    le = ""
    while (substr(text, 1, 1) != "}") {
        if (!match(text, /^[a-zA-Z_][a-zA-Z0-9_]*="/)) return "!"
        name = substr(text, 1, RLENGTH - 2)
        text = substr(text, RLENGTH + 1)
        if (!match(text, /^([^"\\]|\\\\|\\"|\\n)*"/)) return "!"
        value = substr(text, 1, RLENGTH - 1)
        text = substr(text, RLENGTH + 1)
        if (name ~ /^__/) return "!"
        if (index("," labels, "," name "=") > 0) return "!"
        if (name == "le") le = value
        else labels = labels name "=\"" value "\","
        if (substr(text, 1, 1) == ",") text = substr(text, 2)
        else if (substr(text, 1, 1) != "}") return "!"
    }
    return substr(text, 2)
}
function end_histogram() {
    if (series == "") return
    if (last_le != "+Inf") wrong("the histogram before has no bucket +Inf")
    if (!had_sum) wrong("the histogram before has no _sum")
    if (!had_count) wrong("the histogram before has no _count")
    series = ""
}
function histogram(name, value) {
    if (name == current "_bucket") {
        if (le == "") wrong("a bucket without le")
        if (series != labels "|") {
            end_histogram()
            series = labels "|"
            last_le = ""; last_value = 0; had_sum = 0; had_count = 0
        } else if (le != "+Inf" && le + 0 <= last_le + 0 || last_le == "+Inf") wrong("le does not rise")
        if (value + 0 < last_value) wrong("buckets are not cumulative")
        last_le = le
        last_value = value + 0
    } else if (labels "|" != series) wrong("it belongs to no buckets")
    else if (name == current "_sum") had_sum = 1
    else if (name == current "_count") {
        had_count = 1
        if (value + 0 != last_value) wrong("_count is not that of le=\"+Inf\"")
    } else wrong("no sample of a histogram")
}
/^# HELP / {
    end_histogram()
    if (help[$3]++) wrong("a second HELP")
    if (NF < 4) wrong("no words")
    if ($0 ~ /\\[^\\n]/) wrong("a wrong escape")
    next_family = $3
    next
}
/^# TYPE / {
    if ($3 != next_family) wrong("TYPE stands not behind its HELP")
    if (type[$3] != "") wrong("a second TYPE")
    if ($4 !~ /^(counter|gauge|histogram)$/ || NF != 4) wrong("no such type")
    if (($4 == "counter") != ($3 ~ /_total$/)) wrong("counters end in _total, others do not")
    if ($3 ~ /_(ms|milliseconds|minutes|kb|mb|kilobytes|percent)(_total)?$/) wrong("no base unit")
    if ($3 !~ /^(oxide|process)_[a-z0-9_]+$/) wrong("another name than ours")
    type[$3] = $4
    current = $3
    next
}
{
    if (!match($0, /^[a-zA-Z_:][a-zA-Z0-9_:]*/)) { wrong("no sample"); next }
    name = substr($0, 1, RLENGTH)
    rest = substr($0, RLENGTH + 1)
    labels = ""; le = ""
    if (substr(rest, 1, 1) == "{") rest = cut_labels(substr(rest, 2))
    if (rest !~ /^ ([0-9]+([.][0-9]+)?(e[+-][0-9]+)?|[+]Inf|NaN)$/) { wrong("no value, or wrong labels"); next }
    if (family_of(name) != current) wrong("it stands not below its family")
    if (seen[name "{" labels le]++) wrong("told twice")
    if (type[current] == "histogram") histogram(name, substr(rest, 2))
}
END { end_histogram() }
