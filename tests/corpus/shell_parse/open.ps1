Get-Thing | where {$_.Name -eq "a
