'Beta','zeta' | Get-Thing -ea SilentlyContinue | Remove-Thing -ErrorAction Continue
