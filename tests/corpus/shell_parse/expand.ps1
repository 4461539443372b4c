Get-Thing | select Name,C* | ft -AutoSize; Get-Thing | select -ExpandProperty Tags
