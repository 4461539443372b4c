Get-Thing | where {$_.Size -gt 10MB -and $_.Tags -notcontains 'red' -or -not ($_.Name -clike 'a*')} | fl Name,*ag*
