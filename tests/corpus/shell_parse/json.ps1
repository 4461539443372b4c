Get-Thing | ConvertTo-Json -AsArray -Depth 1
