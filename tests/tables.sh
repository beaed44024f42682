# What the checks of tables in docs/ share: tests/requirements and tests/security.
#
# Rows are lines of Markdown tables. Names are in backticks in the last cell.

problems=0

# Says of each line of the input what is wrong with it.
complain() {
    local line
    while read -r line; do
        [[ -n $line ]] || continue
        printf '%s %s\n' "$line" "$1"
        problems=$((problems + 1))
    done
}

# First and last cell of each row of a page whose first cell matches, below headings (lines that begin with ##)
# that match or don't.
rows() {
    local page=$1 code=$2 headings=${3:-} wanted=${4:-0}
    awk -F ' *[|] *' -v code="^($code)\$" -v headings="$headings" -v wanted="$wanted" '
        /^## / { matches = (headings != "" && $0 ~ headings) }
        $2 ~ code && matches == wanted { print $2 "\t" $(NF - 1) }' "$page"
}

# First cell and name, one line for each name, of what rows prints.
names() {
    awk -F '`' '{ for (i = 2; i <= NF; i += 2) print substr($1, 1, index($1, "\t") - 1) "\t" $i }'
}

# The lines of the first list that the second lacks.
without() {
    comm -23 <(sort -u <<<"$1") <(sort -u <<<"$2")
}
