echo 'it''s' "a `"b`" ""c"" `$x`n" ‘q’ a`;b x'y z'
