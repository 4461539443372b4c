Get-Thing | where {$_.Age -lt '1.00:00:00' -and $_.Since -ge '1970-01-01 00:01:00.500Z'} | sort Age,Name
