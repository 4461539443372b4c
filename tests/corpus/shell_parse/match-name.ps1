Get-Thing | where Name -match '[\w.]+'
