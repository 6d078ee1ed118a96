# Records of a constant database, as `cdb -c` takes them: names as on the wire, without values.
BEGIN { for (n = 1; n < 64; n++) octet[n] = sprintf("%c", n) }
{
    count = split($1, labels, ".")
    wire = ""
    len = 1
    for (i = 1; i <= count; i++) {
        wire = wire octet[length(labels[i])] labels[i]
        len += length(labels[i]) + 1
    }
    printf "+%d,0:%s%c->\n", len, wire, 0
}
END { print "" }
