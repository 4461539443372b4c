Get-Thing | where {(Get-Thing (Get-Thing $_.Name).Name).Count -ge 3}
