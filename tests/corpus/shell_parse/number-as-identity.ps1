Get-Thing *a | where Name -ne alpha | Set-Thing 9`
	-Enabled $true; Remove-Thing 7 -Confirm:$false
