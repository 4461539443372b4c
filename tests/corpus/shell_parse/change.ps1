Get-Thing *a | where Name -ne alpha | Set-Thing -Enabled $true -WhatIf; Remove-Thing Beta -Confirm:$false -Verbose
