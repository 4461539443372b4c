Get-Thing |
