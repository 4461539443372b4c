1,2,'3' | sort -Descending | select -First 2 -Skip 1; (Get-Thing *ta).Tags -eq 'red'
