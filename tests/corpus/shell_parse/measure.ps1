Get-Thing | measure Count -Sum -Average -Minimum -Maximum | ConvertTo-Json -Compress
