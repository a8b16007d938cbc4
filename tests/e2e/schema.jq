# Does a value fit a schema of the document in $doc? Gives a line for each place where it does not.
# Knows the keywords that the document uses. What a schema does not name, an answer may not hold.
def resolve: if has("$ref") then ($doc.components.schemas[."$ref" | ltrimstr("#/components/schemas/")]) else . end;
def kind: if type == "number" then (if . == floor then "integer" else "number" end) else type end;
def is_a($types): kind as $k | ($types | if type == "array" then . else [.] end)
    | index($k) != null or ($k == "integer" and index("number") != null)
        or ($k == "boolean" and index("boolean") != null);
def wrong($schema; $at):
    . as $value | ($schema | resolve) as $s
    | if ($s | has("anyOf")) then
        if any($s.anyOf[]; . as $one | [$value | wrong($one; $at)] == []) then empty
        else "\($at): fits none of its alternatives: \($value | tojson | .[0:80])" end
      elif ($s | has("type")) and ($value | is_a($s.type) | not) then
        "\($at): is \($value | kind), not \($s.type | tojson)"
      elif ($s | has("enum")) and ($s.enum | index([$value]) == null) then
        "\($at): \($value | tojson) is none of \($s.enum | tojson)"
      elif ($value | type) == "string" then
        (if $s.pattern and ($value | test($s.pattern) | not) then "\($at): \($value) is not \($s.pattern)" else empty end),
        (if $s.format == "date-time" and ($value | test("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$") | not)
         then "\($at): \($value) is no time" else empty end),
        (if $s.maxLength and ($value | length) > $s.maxLength then "\($at): is too long" else empty end)
      elif ($value | type) == "number" then
        (if $s.minimum and $value < $s.minimum then "\($at): \($value) is under \($s.minimum)" else empty end),
        (if $s.maximum and $value > $s.maximum then "\($at): \($value) is over \($s.maximum)" else empty end)
      elif ($value | type) == "array" then
        ($value | to_entries[] | .key as $i | .value | wrong($s.items // {}; "\($at)[\($i)]"))
      elif ($value | type) == "object" and ($s | has("properties") or has("additionalProperties")) then
        (($s.required // [])[] | . as $name | if $value | has($name) then empty else "\($at): lacks \($name)" end),
        ($value | to_entries[] | .key as $name | .value
            | if $s.properties[$name] then wrong($s.properties[$name]; "\($at).\($name)")
              elif ($s | has("additionalProperties")) then wrong($s.additionalProperties; "\($at).\($name)")
              else "\($at): \($name) stands in no schema" end)
      else empty end;
wrong($schema; "answer")
