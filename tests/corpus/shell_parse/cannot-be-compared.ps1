Get-Thing | where {$_.Age -lt '0.00:00-Thing | where {$_.:00' -and $_.Since -ge '1970-01-01 00:01:00.500Z'} | sort Age,Name
